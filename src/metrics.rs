//! Makes Prometheus metrics: every name begins with `capitana_`, every one has a HELP text, and nothing is global.
//! Which metrics there are is each daemon's.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Error, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Makes metrics and registers them.
pub struct Maker<'a> {
    registry: &'a Registry,
}

impl<'a> Maker<'a> {
    /// Registers with `registry`, and begins with what every daemon shows: its version and its process's figures.
    ///
    /// # Errors
    /// A name is taken already: a mistake in capitana.
    pub fn new(registry: &'a Registry) -> Result<Self, Error> {
        let maker = Self { registry };
        maker.register(ProcessCollector::for_self())?;
        let info = IntGaugeVec::new(opts("build_info", "1, with the version as a label"), &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        maker.register(info)?;
        Ok(maker)
    }

    /// Registers a collector.
    ///
    /// # Errors
    /// A name is taken already.
    pub fn register(&self, collector: impl Collector + 'static) -> Result<(), Error> {
        self.registry.register(Box::new(collector))
    }

    /// A number that only grows.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        let counter = IntCounter::with_opts(opts(name, help))?;
        self.register(counter.clone())?;
        Ok(counter)
    }

    /// A family of numbers that only grow, told apart by these labels.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        let counters = IntCounterVec::new(opts(name, help), labels)?;
        self.register(counters.clone())?;
        Ok(counters)
    }

    /// A number that goes up and down.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        let gauge = IntGauge::with_opts(opts(name, help))?;
        self.register(gauge.clone())?;
        Ok(gauge)
    }

    /// A family of numbers that go up and down, told apart by these labels.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        let gauges = IntGaugeVec::new(opts(name, help), labels)?;
        self.register(gauges.clone())?;
        Ok(gauges)
    }

    /// A distribution of durations in seconds, with these upper bounds.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn seconds(&self, name: &str, help: &str, bounds: &[f64]) -> Result<Histogram, Error> {
        let opts = HistogramOpts::new(name, help).namespace("capitana").buckets(bounds.to_vec());
        let histogram = Histogram::with_opts(opts)?;
        self.register(histogram.clone())?;
        Ok(histogram)
    }
}

/// The description of a metric of capitana's.
#[must_use]
pub fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("capitana")
}
