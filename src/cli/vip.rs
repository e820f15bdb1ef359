//! `capitana vip`: its command line. Holding the address is `crate::vip`'s.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use crate::config::LogFormat;
use crate::config::value::Text;
use crate::config::words::LogFilter;
use crate::error::{Error, Origin};
use crate::logging;
use crate::vip::{Vip, run};

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana vip 192.0.2.10/24 eth0
  capitana worker --name vip -- capitana vip 192.0.2.10/24 eth0       (on one of several hosts)
  capitana worker --name vip6 -- capitana vip 2001:db8::10/64 eth0

SIGTERM removes the address. Where this process is killed or frozen, the kernel removes it after
--lifetime. Adding takes root or CAP_NET_ADMIN, telling the neighbours CAP_NET_RAW.";

/// What `capitana vip` is asked.
#[derive(Debug, Args)]
pub struct VipArgs {
    /// The address and the length of its network's prefix
    #[arg(value_name = "ADDRESS/PREFIX")]
    address: String,

    /// The network interface
    #[arg(value_name = "DEVICE")]
    device: String,

    /// After how long without a renewal the kernel removes the address, in whole seconds; at most half the session timeout
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    lifetime: Text<Duration>,

    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "CAPITANA_LOG_FORMAT", default_value = "human")]
    log_format: LogFormat,

    /// What is logged
    #[arg(long, value_name = "FILTER", env = "CAPITANA_LOG_LEVEL", default_value = "info")]
    log_level: Text<LogFilter>,
}

impl VipArgs {
    /// Holds the address until SIGTERM.
    ///
    /// # Errors
    /// The address makes no sense, or cannot be held.
    pub fn run(&self) -> Result<(), Error> {
        let vip = self.vip()?;
        logging::install(self.log_format, &self.log_level.value.0)?;
        run(&vip)
    }

    fn vip(&self) -> Result<Vip, Error> {
        let wrong = || {
            Error::Usage(format!(
                "capitana: expected an address and a prefix, such as 192.0.2.10/24 or 2001:db8::10/64, found \"{}\"",
                self.address
            ))
        };
        let (address, prefix) = self.address.split_once('/').ok_or_else(wrong)?;
        let (address, prefix): (IpAddr, u8) =
            (address.parse().map_err(|_| wrong())?, prefix.parse().map_err(|_| wrong())?);
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix == 0 || prefix > longest || address.is_unspecified() || address.is_multicast() {
            return Err(wrong());
        }
        let lifetime = self.lifetime.value;
        if lifetime.subsec_nanos() > 0 || !(1..=3600).contains(&lifetime.as_secs()) {
            return Err(Error::Setting {
                origin: Origin::Flag("lifetime".to_owned()),
                problem: "the kernel counts whole seconds: expected 1s to 1h".to_owned(),
            });
        }
        Ok(Vip { address, prefix, device: self.device.clone(), lifetime })
    }
}
