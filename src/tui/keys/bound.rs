//! The keys in force: the table, with what `[ui.keys]` of the settings changes.

use std::collections::BTreeMap;

use super::{Action, Found, Scope, TABLE, parse, spell};
use crate::config::KeySetting;

/// A line of the table as it is in force.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Where.
    pub scope: Scope,
    /// Any of these; the steps of one are separated by spaces.
    pub keys: Vec<String>,
    /// What.
    pub action: Action,
    /// As the help says it.
    pub help: &'static str,
    /// A word for the status line, where it is worth its place there.
    pub hint: &'static str,
    /// Whether the settings say so.
    changed: bool,
}

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keys {
    bound: Vec<Bound>,
}

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No such action.
    #[error("ui.keys.{name}: there is no such action{}", near.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Action {
        /// As the settings name it.
        name: String,
        /// One that is called nearly so.
        near: Option<String>,
    },
    /// No such place.
    #[error("ui.keys.{scope}: there is no such place; there are {known}")]
    Scope {
        /// As the settings name it.
        scope: String,
        /// Those that there are.
        known: String,
    },
    /// No such key.
    #[error(
        "ui.keys.{name}: {key:?} is no key; keys are written as \"x\", \"C-x\", \"A-x\", \"F5\", \"Space\", \"Enter\" or \"g g\""
    )]
    Key {
        /// The action.
        name: String,
        /// What is no key.
        key: String,
    },
    /// It means something else already.
    #[error("ui.keys.{name}: {key:?} means {other:?} already ({place})")]
    Taken {
        /// The action.
        name: String,
        /// The key.
        key: String,
        /// What it means.
        other: String,
        /// Where.
        place: &'static str,
    },
}

impl Default for Keys {
    fn default() -> Self {
        let bound = TABLE.iter().map(|b| Bound {
            scope: b.scope,
            keys: b.keys.iter().map(|k| (*k).to_owned()).collect(),
            action: b.action,
            help: b.help,
            hint: b.hint,
            changed: false,
        });
        Self { bound: bound.collect() }
    }
}

impl Keys {
    /// The table, changed as the settings ask.
    ///
    /// # Errors
    /// Names the action, the key and what is wrong.
    pub fn changed(settings: &BTreeMap<String, KeySetting>) -> Result<Self, KeysError> {
        let mut keys = Self::default();
        for (name, setting) in settings {
            match setting {
                KeySetting::One(key) => keys.set(name, None, std::slice::from_ref(key))?,
                KeySetting::Many(list) => keys.set(name, None, list)?,
                KeySetting::In(inside) => {
                    let scope = Scope::ALL.into_iter().find(|s| s.key() == *name).ok_or_else(|| KeysError::Scope {
                        scope: name.clone(),
                        known: Scope::ALL.map(Scope::key).join(", "),
                    })?;
                    for (action, list) in inside {
                        keys.set(action, Some(scope), list.as_slice())?;
                    }
                }
            }
        }
        keys.check()?;
        Ok(keys)
    }

    fn set(&mut self, action: &str, scope: Option<Scope>, keys: &[String]) -> Result<(), KeysError> {
        let name = scope.map_or_else(|| action.to_owned(), |s| format!("{}.{action}", s.key()));
        for key in keys {
            let fits = |step: &str| parse(step).is_some_and(|event| spell(event) == step);
            if key.is_empty() || !key.split(' ').all(fits) {
                return Err(KeysError::Key { name, key: key.clone() });
            }
        }
        let mut any = false;
        for bound in self.bound.iter_mut().filter(|b| scope.is_none_or(|s| s == b.scope)) {
            if bound.action.name() == action {
                bound.keys = keys.to_vec();
                bound.changed = true;
                any = true;
            }
        }
        if any {
            return Ok(());
        }
        let known = TABLE.iter().map(|b| b.action.name());
        let near = known.map(|n| (strsim::damerau_levenshtein(&n, action), n)).min().filter(|(d, _)| *d <= 3);
        Err(KeysError::Action { name, near: near.map(|(_, n)| n) })
    }

    /// A key that the settings give away must not take another's place, nor hide it, nor begin it.
    fn check(&self) -> Result<(), KeysError> {
        for new in self.bound.iter().filter(|b| b.changed) {
            let everywhere = |s: Scope| matches!(s, Scope::Everywhere | Scope::Lists);
            // The library and the search are lists of tracks.
            let both = |a: Scope, b: Scope| a == Scope::Tracks && matches!(b, Scope::Library | Scope::Search);
            let meets = |other: &&Bound| {
                let (a, b) = (other.scope, new.scope);
                other.action != new.action && (a == b || everywhere(a) || everywhere(b) || both(a, b) || both(b, a))
            };
            for other in self.bound.iter().filter(meets) {
                let clash = |a: &str, b: &str| {
                    let begins = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.starts_with(' '));
                    a == b || begins(a, b) || begins(b, a)
                };
                if let Some(key) = new.keys.iter().find(|key| other.keys.iter().any(|k| clash(key, k))) {
                    // What the table itself lets a screen mean otherwise, the settings may, too.
                    let default = |of: &Bound| {
                        TABLE
                            .iter()
                            .any(|b| b.scope == of.scope && b.action == of.action && b.keys.contains(&key.as_str()))
                    };
                    if default(new) && default(other) {
                        continue;
                    }
                    return Err(KeysError::Taken {
                        name: new.action.name(),
                        key: key.clone(),
                        other: other.action.name(),
                        place: other.scope.name(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The lines of a scope.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = &Bound> {
        self.bound.iter().filter(move |b| b.scope == scope)
    }

    /// The first key of an action in a scope, as people read it; empty where it has none.
    #[must_use]
    pub fn key(&self, scope: Scope, action: Action) -> String {
        let bound = self.of(scope).find(|b| b.action == action);
        bound.and_then(|b| b.keys.first()).map(|key| key.replace(' ', "")).unwrap_or_default()
    }

    /// What `typed` means in `scopes`, the nearest first.
    #[must_use]
    pub fn find(&self, typed: &[String], scopes: &[Scope]) -> Found {
        let typed = typed.join(" ");
        let mut beginning = false;
        for scope in scopes {
            for bound in self.of(*scope) {
                for key in &bound.keys {
                    if *key == typed {
                        return Found::Action(bound.action);
                    }
                    beginning |= key.strip_prefix(&typed).is_some_and(|rest| rest.starts_with(' '));
                }
            }
        }
        if beginning { Found::Beginning } else { Found::Nothing }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(text: &str) -> BTreeMap<String, KeySetting> {
        toml::from_str(text).unwrap()
    }

    fn found(keys: &Keys, typed: &str, scopes: &[Scope]) -> Found {
        let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        keys.find(&typed, scopes)
    }

    #[test]
    fn a_chord_begins_before_it_ends() {
        let keys = Keys::default();
        assert_eq!(found(&keys, "g", &[Scope::Lists]), Found::Beginning);
        assert_eq!(found(&keys, "g x", &[Scope::Lists]), Found::Nothing);
        assert_eq!(found(&keys, "h", &[Scope::Track, Scope::Lists]), Found::Action(Action::Left));
    }

    #[test]
    fn the_settings_move_keys() {
        let keys =
            Keys::changed(&settings("correct = \"c\"\ntrack.play = [\"p\", \"C-o\"]\nmap = { play = [] }")).unwrap();
        assert_eq!(found(&keys, "c", &[Scope::Tracks]), Found::Action(Action::Correct));
        assert_eq!(found(&keys, "c", &[Scope::Track]), Found::Action(Action::Correct));
        assert_eq!(found(&keys, "e", &[Scope::Tracks]), Found::Nothing);
        assert_eq!(found(&keys, "C-o", &[Scope::Track]), Found::Action(Action::Play));
        assert_eq!(found(&keys, "o", &[Scope::Map]), Found::Nothing);
        assert_eq!(found(&keys, "o", &[Scope::Tracks]), Found::Action(Action::Play));
    }

    #[test]
    fn an_error_names_the_key() {
        for (text, wanted) in [
            ("corect = \"c\"", "ui.keys.corect: there is no such action; did you mean correct?"),
            ("correct = \"Ctrl+C\"", "ui.keys.correct: \"Ctrl+C\" is no key"),
            ("correct = \"j\"", "ui.keys.correct: \"j\" means \"down\" already (Moving)"),
            ("correct = \"g\"", "ui.keys.correct: \"g\" means \"top\" already"),
            ("facet = \"s\"", "ui.keys.facet: \"s\" means \"sort\" already (Tracks)"),
            ("sort = \"f\"", "ui.keys.sort: \"f\" means \"facet\" already (Library)"),
            ("search.save-search = \"e\"", "ui.keys.save-search: \"e\" means \"correct\" already (Tracks)"),
            ("kitchen = { play = \"p\" }", "ui.keys.kitchen: there is no such place"),
            ("tags = { play = \"p\" }", "ui.keys.tags.play: there is no such action"),
        ] {
            let error = Keys::changed(&settings(text)).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }

    #[test]
    fn every_action_can_be_named_and_given_its_own_keys() {
        for b in TABLE {
            let keys = b.keys.iter().map(|k| (*k).to_owned()).collect();
            let inside = BTreeMap::from([(b.action.name(), KeySetting::Many(keys))]);
            let changed = BTreeMap::from([(b.scope.key(), KeySetting::In(inside))]);
            let said = Keys::changed(&changed);
            assert!(said.is_ok(), "{:?}: {said:?}", b.action);
        }
    }
}
