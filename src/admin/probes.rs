//! What load balancers ask: `/` as clustercheck answers it, `/primary` and `/replica`, with 200 or 503. Whether the
//! server is one or the other is the `AdminView`'s to say; a daemon that has no server does not answer here.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::routes::{not_allowed, text};
use super::{AdminView, Probe};

/// The answer, if `path` is a probe's and this daemon answers it. HAProxy's `option httpchk` asks with OPTIONS where
/// it is told no method.
pub(super) fn answer(path: &str, method: &Method, view: &dyn AdminView) -> Option<Response<Full<Bytes>>> {
    let probe = match path {
        "/" => Probe::Fit,
        "/primary" => Probe::Primary,
        "/replica" => Probe::Replica,
        _ => return None,
    };
    let answer = view.probe(probe)?;
    if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Some(not_allowed("GET, HEAD, OPTIONS"));
    }
    let mut response = match answer {
        Ok(yes) => text(StatusCode::OK, format!("{yes}\n")),
        Err(no) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{no}\n")),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}
