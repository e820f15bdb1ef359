//! One znode of settings in memory, with the versions that were kept. It owns no test.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use capitana::control::{Children, Coordinator, CoordinatorError, Found, LinkState, Outcome, Stat, Watch};
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct State {
    zxid: i64,
    current: Option<(Vec<u8>, Stat)>,
    kept: Vec<(Vec<u8>, Stat)>,
    readable: bool,
    changed: CancellationToken,
}

/// A ZooKeeper with nothing in it.
#[derive(Clone)]
pub(crate) struct FakeZooKeeper(Arc<Mutex<State>>);

impl FakeZooKeeper {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { readable: true, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        state.zxid += 1;
        change(&mut state);
        std::mem::take(&mut state.changed).cancel();
    }

    /// Writes a version; `keep`: as `capitana config` does it.
    pub(crate) fn write(&self, text: impl Into<Vec<u8>>, keep: bool) {
        let text = text.into();
        self.change(|state| {
            let zxid = state.zxid;
            let (born, version) = state.current.as_ref().map_or((zxid, 0), |(_, s)| (s.czxid, s.version + 1));
            let stat = Stat { czxid: born, ephemeral_owner: 0, mzxid: zxid, version, modified_ms: 0 };
            if keep {
                let settings = String::from_utf8_lossy(&text);
                let entry = json!({"version": version, "by": "somebody", "settings": settings});
                state.kept.push((entry.to_string().into_bytes(), Stat { czxid: zxid, ..stat }));
            }
            state.current = Some((text, stat));
        });
    }

    pub(crate) fn delete(&self) {
        self.change(|state| state.current = None);
    }

    /// Sets it up anew: there is nothing in it, and its zxids begin again.
    pub(crate) fn set_up_anew(&self) {
        self.change(|state| {
            let changed = std::mem::take(&mut state.changed);
            *state = State { readable: true, changed, ..State::default() };
        });
    }

    pub(crate) fn let_read(&self, readable: bool) {
        self.change(|state| state.readable = readable);
    }
}

impl Coordinator for FakeZooKeeper {
    fn session_id(&self) -> i64 {
        1
    }

    fn session_timeout(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn link_changed(&self) -> LinkState {
        std::future::pending().await
    }

    async fn sync(&self, _: &str) -> Result<(), CoordinatorError> {
        Ok(())
    }

    async fn children(&self, _: &str) -> Result<Children, CoordinatorError> {
        let names = (0..self.state().kept.len()).map(|number| number.to_string()).collect();
        Ok(Children { names, pzxid: 0, exists: true, watch: Box::pin(std::future::pending()) })
    }

    async fn list(&self, path: &str) -> Result<Option<Vec<String>>, CoordinatorError> {
        let children = self.children(path).await?;
        Ok(children.exists.then_some(children.names))
    }

    async fn read(&self, path: &str) -> Result<Found, CoordinatorError> {
        let number: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        Ok(self.state().kept.get(number).cloned())
    }

    async fn read_and_watch(&self, path: &str) -> Result<(Found, Watch), CoordinatorError> {
        let state = self.state();
        if !state.readable {
            let (what, cause) = (format!("read {path}"), "not authorized".to_owned());
            return Err(CoordinatorError { what, cause, outcome: Outcome::Denied });
        }
        let changed = state.changed.clone();
        Ok((state.current.clone(), Box::pin(async move { changed.cancelled().await })))
    }

    async fn create(&self, path: &str, _: &[u8]) -> Result<bool, CoordinatorError> {
        panic!("a daemon creates nothing here: {path}");
    }

    async fn write(&self, path: &str, _: &[u8]) -> Result<bool, CoordinatorError> {
        panic!("a daemon writes nothing here: {path}");
    }

    async fn create_sequential(&self, prefix: &str, _: &[u8]) -> Result<(String, Stat), CoordinatorError> {
        panic!("a daemon creates nothing here: {prefix}");
    }

    async fn delete(&self, path: &str) -> Result<bool, CoordinatorError> {
        panic!("a daemon deletes nothing here: {path}");
    }

    async fn ensure_path(&self, path: &str) -> Result<(), CoordinatorError> {
        panic!("a daemon creates nothing here: {path}");
    }

    async fn close(self) {}
}
