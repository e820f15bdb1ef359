//! Which version of the settings in ZooKeeper is used: examples, and random histories seen whole or with gaps.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana_core::liveconfig::{Choice, Current, LiveConfig, Revision, Sight};
use proptest::prelude::*;

fn revision(zxid: i64, version: i32, text: &str) -> Revision {
    Revision { zxid, version, written_ms: 0, text: text.as_bytes().to_vec() }
}

fn current(revision: Revision, earlier: Option<Vec<Revision>>) -> Option<Current> {
    Some(Current { revision, born: 1, earlier })
}

/// Everything can be used but what begins with "bad".
fn judge(revision: Option<&Revision>) -> Result<String, String> {
    let text = revision.map_or("own", |revision| std::str::from_utf8(&revision.text).unwrap());
    if text.starts_with("bad") { Err(format!("{text} cannot be used")) } else { Ok(text.to_owned()) }
}

/// A process that follows.
fn follow(live: &mut LiveConfig, current: Option<Current>) -> Choice<String> {
    live.see(current);
    let choice = live.choose(judge).unwrap();
    live.uses(&choice);
    choice
}

#[test]
fn the_current_version_is_used() {
    let choice = follow(&mut LiveConfig::default(), current(revision(5, 2, "good"), None));
    assert_eq!((choice.settings.as_str(), choice.refused), ("good", None));
    assert_eq!(choice.revision.unwrap().version, 2);
}

#[test]
fn without_a_znode_the_process_has_its_own_settings() {
    let choice = follow(&mut LiveConfig::default(), None);
    assert_eq!((choice.settings.as_str(), choice.revision), ("own", None));
}

#[test]
fn a_bad_version_leaves_the_one_before_it_in_use_and_says_why() {
    let mut live = LiveConfig::default();
    follow(&mut live, current(revision(5, 0, "good"), None));
    let choice = follow(&mut live, current(revision(6, 1, "bad"), None));
    assert_eq!(choice.settings, "good");
    let refused = choice.refused.unwrap();
    assert_eq!((refused.version, refused.why.as_str()), (1, "bad cannot be used"));
}

#[test]
fn a_process_that_starts_under_a_bad_version_takes_the_newest_good_one_that_was_kept() {
    let kept = vec![revision(3, 0, "old"), revision(6, 2, "bad"), revision(5, 1, "good")];
    let choice = follow(&mut LiveConfig::default(), current(revision(6, 2, "bad"), Some(kept)));
    assert_eq!(choice.settings, "good");
}

#[test]
fn what_was_kept_from_before_the_znode_was_deleted_is_not_used() {
    let reading =
        Current { revision: revision(9, 0, "bad"), born: 9, earlier: Some(vec![revision(5, 3, "good")]) };
    assert_eq!(follow(&mut LiveConfig::default(), Some(reading)).settings, "own");
}

#[test]
fn a_znode_that_is_deleted_leads_back_to_the_processs_own_settings() {
    let mut live = LiveConfig::default();
    follow(&mut live, current(revision(5, 0, "good"), None));
    assert_eq!(follow(&mut live, None).settings, "own");
}

#[test]
fn a_server_that_lags_behind_changes_nothing() {
    let mut live = LiveConfig::default();
    follow(&mut live, current(revision(5, 0, "good"), None));
    follow(&mut live, current(revision(6, 1, "better"), None));
    assert_eq!(follow(&mut live, current(revision(5, 0, "good"), None)).settings, "better");
    follow(&mut live, None);
    assert_eq!(follow(&mut live, current(revision(6, 1, "better"), None)).settings, "own");
}

#[test]
fn what_was_read_before_says_nothing_new() {
    let mut live = LiveConfig::default();
    assert!(!live.was_read());
    assert_eq!(live.see(None), Sight::New);
    assert!(live.was_read());
    assert_eq!(live.see(None), Sight::Same);
    assert_eq!(live.see(current(revision(5, 0, "good"), None)), Sight::New);
    assert_eq!(live.see(current(revision(5, 0, "good"), None)), Sight::Same);
}

#[test]
fn what_is_older_than_what_was_seen_is_called_so_until_something_as_new_is_seen() {
    let mut live = LiveConfig::default();
    let seen = current(revision(5, 3, "good"), None);
    live.see(seen.clone());
    assert_eq!(live.see(current(revision(4, 0, "set up anew"), None)), Sight::Older);
    assert_eq!(live.see(current(revision(4, 0, "set up anew"), None)), Sight::Older);
    assert_eq!(live.see(seen), Sight::Same);
    assert_eq!(live.see(current(revision(6, 1, "better"), None)), Sight::New);
}

#[test]
fn what_is_written_in_a_zookeeper_that_was_set_up_anew_and_found_empty_is_older() {
    let mut live = LiveConfig::default();
    live.see(current(revision(5, 3, "good"), None));
    assert_eq!(live.see(None), Sight::New);
    assert_eq!(live.see(current(revision(5, 0, "set up anew"), None)), Sight::Older);
    assert_eq!(live.see(None), Sight::Same);
}

#[test]
fn where_not_even_the_own_settings_can_be_used_nothing_is_chosen() {
    let mut live = LiveConfig::default();
    live.see(current(revision(5, 0, "good"), None));
    assert_eq!(
        live.choose::<()>(|_| Err("the file is broken".to_owned())),
        Err("the file is broken".to_owned())
    );
}

/// What people do to the settings.
#[derive(Debug, Clone)]
enum Step {
    Write {
        good: bool,
    },
    Delete,
    /// The process with gaps reads.
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(|good| Step::Write { good }),
        1 => Just(Step::Delete),
        3 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..40)
}

/// ZooKeeper, with every version kept.
#[derive(Default)]
struct Model {
    zxid: i64,
    current: Option<Current>,
    kept: Vec<Revision>,
}

impl Model {
    fn write(&mut self, good: bool) {
        self.zxid += 1;
        let version = self.current.as_ref().map_or(0, |current| current.revision.version + 1);
        let text = format!("{} {}", if good { "good" } else { "bad" }, self.zxid);
        let revision = revision(self.zxid, version, &text);
        self.kept.push(revision.clone());
        let born = self.current.as_ref().map_or(self.zxid, |current| current.born);
        self.current = Some(Current { revision, born, earlier: None });
    }

    /// As a process reads it: what was kept only if it asks for it.
    fn read_by(&self, live: &mut LiveConfig) -> Choice<String> {
        let choice = follow(live, self.current.clone());
        if choice.refused.is_none() {
            return choice;
        }
        let with_kept =
            self.current.clone().map(|current| Current { earlier: Some(self.kept.clone()), ..current });
        follow(live, with_kept)
    }
}

proptest! {
    #[test]
    fn whoever_missed_versions_comes_to_the_same_as_whoever_saw_them_all(steps in steps()) {
        let (mut model, mut all, mut some) = (Model::default(), LiveConfig::default(), LiveConfig::default());
        for step in steps {
            match step {
                Step::Write { good } => model.write(good),
                Step::Delete => model.current = None,
                Step::Look => { model.read_by(&mut some); }
            }
            model.read_by(&mut all);
        }
        let (all, some, fresh) =
            (model.read_by(&mut all), model.read_by(&mut some), model.read_by(&mut LiveConfig::default()));
        prop_assert_eq!(&all, &some);
        prop_assert_eq!(&all, &fresh);
        if let Some(revision) = &all.revision {
            prop_assert!(revision.text.starts_with(b"good"));
        }
    }
}
