//! The meaning of the client library's errors: what became of a request that failed, and what is said of it. Why no
//! session could be opened at all is `diagnosis`'s.

use zookeeper_client::Error as ZkError;

use super::coordinator::{CoordinatorError, Outcome};

/// What `error` means for a request that was described as `what`, by the digest user `name`.
///
/// An end of file gives `ConnectionLoss`, an idle timeout or a reset gives `Custom`, and both leave the outcome open.
pub(super) fn failed(what: &str, error: &ZkError, name: Option<&str>) -> CoordinatorError {
    let outcome = match error {
        ZkError::SessionExpired | ZkError::AuthFailed | ZkError::ClientClosed | ZkError::NoHosts => {
            Outcome::SessionOver
        }
        ZkError::ConnectionLoss | ZkError::Timeout | ZkError::UnexpectedError(_) | ZkError::Custom(_) => {
            Outcome::Unknown
        }
        ZkError::NoAuth => Outcome::Denied,
        _ => Outcome::Refused,
    };
    CoordinatorError { what: what.to_owned(), cause: words(error, name), outcome }
}

/// What is said of `error`, for people.
pub(super) fn words(error: &ZkError, name: Option<&str>) -> String {
    match (error, name) {
        (ZkError::NoAuth, Some(name)) => format!(
            "not authorized: the ACL there does not let \"{name}\" (zookeeper-auth-file) do this, or the password is not \
             that of its creator; `zkCli.sh getAcl` shows who may"
        ),
        (ZkError::NoAuth, None) => {
            "not authorized: the ACL there does not let everybody do this; name who this is with \
                                    zookeeper-auth-file"
                .to_owned()
        }
        (ZkError::AuthFailed, Some(_)) => {
            "authentication failed: ZooKeeper asks for another way to say who this is than \
                                           zookeeper-auth-file (digest); see its enforce.auth.schemes and \
                                           sessionRequireClientSASLAuth"
                .to_owned()
        }
        (ZkError::AuthFailed, None) => "authentication failed: ZooKeeper wants to know who this is; give \
                                        zookeeper-auth-file"
            .to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_the_right_is_not_carried_out_and_the_setting_is_named() {
        for name in [None, Some("capitana")] {
            let error = failed("create /mariadb", &ZkError::NoAuth, name);
            assert_eq!(error.outcome, Outcome::Denied);
            assert!(error.cause.contains("zookeeper-auth-file"), "{error}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_outcome_open() {
        assert_eq!(failed("create /mariadb", &ZkError::ConnectionLoss, None).outcome, Outcome::Unknown);
    }
}
