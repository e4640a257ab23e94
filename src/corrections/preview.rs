//! What a candidate would change: how many tracks, which, from what to what.

use std::collections::BTreeMap;

use crate::{
    genre::Genre,
    store::{Shift, Store, StoreError},
};

/// The changes that are listed, largest first.
pub const LISTED: usize = 100;

/// What would change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Tracks that both models have named and the user has said nothing of.
    pub tracks: usize,
    /// Tracks whose largest share would be another genre.
    pub changed: usize,
    /// Tracks of which any share would change.
    pub moved: usize,
    /// From what to what (none is unsure), and how many tracks; most first.
    pub flows: Vec<(Option<Genre>, Option<Genre>, usize)>,
    /// The biggest changes, at most [`LISTED`].
    pub biggest: Vec<Shift>,
}

impl Preview {
    /// Compare the model in force with a candidate.
    ///
    /// # Errors
    /// What the database says.
    pub fn of(store: &Store, before: &str, after: &str) -> Result<Self, StoreError> {
        let mut preview = Self::default();
        let mut flows: BTreeMap<(Option<Genre>, Option<Genre>), usize> = BTreeMap::new();
        store.compare(before, after, |shift| {
            preview.tracks += 1;
            if shift.moved > 0.0 {
                preview.moved += 1;
                if shift.before != shift.after {
                    preview.changed += 1;
                    *flows.entry((shift.before.clone(), shift.after.clone())).or_default() += 1;
                }
                preview.biggest.push(shift);
                if preview.biggest.len() >= 2 * LISTED {
                    keep_biggest(&mut preview.biggest);
                }
            }
        })?;
        keep_biggest(&mut preview.biggest);
        preview.flows = flows.into_iter().map(|((from, to), n)| (from, to, n)).collect();
        preview.flows.sort_by_key(|flow| std::cmp::Reverse(flow.2));
        Ok(preview)
    }
}

/// Those whose largest share changes first, then by how much changes hands.
fn keep_biggest(shifts: &mut Vec<Shift>) {
    shifts.sort_by(|a, b| {
        let other = |s: &Shift| s.before != s.after;
        other(b).cmp(&other(a)).then(b.moved.total_cmp(&a.moved)).then(a.track.cmp(&b.track))
    });
    shifts.truncate(LISTED);
}
