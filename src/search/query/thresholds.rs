//! What the words for "how much" mean. The listener's config may change every one of them.

use super::{
    super::share::{Bounds, Share},
    ast::Quantity,
};

/// The shares that the words stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// pure, only, all: at least this.
    pub pure: Share,
    /// mostly, mainly: at least this, and the largest.
    pub mostly: Share,
    /// half: from .. to, both included.
    pub half: (Share, Share),
    /// a lot of, plenty of: at least this.
    pub lots: Share,
    /// some, partly, with: from, up to but without.
    pub some: (Share, Share),
    /// a bit of, a touch of, a hint of, slightly: from, up to but without.
    pub bit: (Share, Share),
    /// A bare genre: at least this.
    pub any: Share,
    /// no, not, without: less than this.
    pub no: Share,
    /// about N %: within so many points, both ends included.
    pub about: Share,
    /// starts with, ends with: at least this share of the first or last [`Self::edge_ms`].
    pub edge: Share,
    /// How long the start and the end of a track are, ms.
    pub edge_ms: u32,
}

impl From<&crate::config::Search> for Thresholds {
    fn from(config: &crate::config::Search) -> Self {
        let p = Share::percent;
        let pair = |[low, high]: [u32; 2]| (p(low), p(high));
        Self {
            pure: p(config.pure),
            mostly: p(config.mostly),
            half: pair(config.half),
            lots: p(config.a_lot),
            some: pair(config.some),
            bit: pair(config.a_bit),
            any: p(config.any),
            no: p(config.no),
            about: p(config.about),
            ..Self::default()
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        let p = Share::percent;
        Self {
            pure: p(85),
            mostly: p(50),
            half: (p(40), p(60)),
            lots: p(35),
            some: (p(15), p(50)),
            bit: (p(5), p(25)),
            any: p(15),
            no: p(5),
            about: p(5),
            edge: p(50),
            edge_ms: 45_000,
        }
    }
}

impl Thresholds {
    /// The shares that `quantity` stands for, and whether the genre must also be the largest.
    #[must_use]
    pub const fn bounds(&self, quantity: Quantity) -> (Bounds, bool) {
        match quantity {
            Quantity::Pure => (Bounds::at_least(self.pure), false),
            Quantity::Mostly => (Bounds::at_least(self.mostly), true),
            Quantity::Half => (Bounds::closed(self.half.0, self.half.1), false),
            Quantity::Lots => (Bounds::at_least(self.lots), false),
            Quantity::Some => (Bounds::half_open(self.some.0, self.some.1), false),
            Quantity::Bit => (Bounds::half_open(self.bit.0, self.bit.1), false),
            Quantity::No => (Bounds::below(self.no), false),
            Quantity::Edge => (Bounds::at_least(self.edge), false),
            Quantity::Any | Quantity::About | Quantity::Given => (Bounds::at_least(self.any), false),
        }
    }

    /// Within [`Self::about`] of `share`.
    #[must_use]
    pub fn around(&self, share: Share) -> Bounds {
        let whole = super::super::share::WHOLE;
        Bounds::closed(
            Share(share.0.saturating_sub(self.about.0)),
            Share(share.0.saturating_add(self.about.0).min(whole)),
        )
    }
}
