//! Lessons: the corrections in force as a retraining job wants them.
//!
//! A row of a track's embeddings gets what was said of it: the last span that covers its middle, else what was said of
//! the whole track after which no other was said, else nothing. Tracks of one artist or one album are one group, and
//! so are tracks whose correction was taken over from one another: they never stand on both sides of a fold.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use deepcuts_protocol::ModelCard;
use safetensors::{Dtype, tensor::TensorView};

use crate::{
    config,
    search::fold::fold,
    store::{Correction, FileRow, Origin, Store, StoreError},
};

/// A corrected track.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The track.
    pub track: i64,
    /// A file that holds it, one that is there if there is one.
    pub path: PathBuf,
    /// The identity of its audio, hex.
    pub audio: String,
    /// Tracks of one group never stand on both sides of a fold.
    pub group: u32,
    /// The user said it of this track, not of one that sounds like it.
    pub own_word: bool,
    /// What was said of the track as a whole, a weight a genre; all zero where only spans were named.
    pub weights: Vec<f32>,
}

/// What a model is to learn.
#[derive(Clone, Debug, Default)]
pub struct Lessons {
    /// Outputs of the new model, as slugs.
    pub genres: Vec<String>,
    /// Those that the old model does not have.
    pub new_genres: Vec<String>,
    /// Outputs of the old model that go by another slug now.
    pub renamed: BTreeMap<String, String>,
    /// The tracks.
    pub tracks: Vec<Lesson>,
    /// Corrected tracks whose sound is not known here: not heard, or by another network.
    pub unheard: usize,
    /// New genres that too few tracks are corrected to, and how many are: they are left out this time.
    pub too_few: Vec<(String, usize)>,
    dim: usize,
    embedding: Vec<u8>,
    scale: Vec<f32>,
    track_of_row: Vec<u32>,
    target: Vec<f32>,
}

/// A correction with its genres as outputs of the new model.
struct Said<'a> {
    span: Option<(u64, u64)>,
    weights: Vec<f32>,
    correction: &'a Correction,
}

impl Lessons {
    /// Collect what was said for a new model that comes of the one of `card`.
    ///
    /// # Errors
    /// What the database says.
    pub fn collect(store: &Store, card: &ModelCard, settings: &config::Retrain) -> Result<Self, StoreError> {
        let mut lessons = Self { dim: usize::from(card.embedding_dim), ..Self::default() };
        let mut by_track: BTreeMap<i64, Vec<Correction>> = BTreeMap::new();
        for c in store.corrections(None)?.into_iter().filter(|c| c.undone_ms.is_none()) {
            by_track.entry(c.track).or_default().push(c);
        }
        for said in by_track.values_mut() {
            // What was said of the whole track takes back what was said before.
            if let Some(whole) = said.iter().rposition(|c| c.span.is_none()) {
                said.drain(..whole);
            }
        }
        let said: HashSet<&str> =
            by_track.values().flatten().flat_map(|c| c.genres.iter().map(|(g, _)| g.as_str())).collect();
        let taxonomy = store.genre_list()?;
        // What is hidden and never said is given up: the new model has no output for it.
        let given_up = |slug: &str| !said.contains(slug) && taxonomy.iter().any(|g| g.slug == slug && g.hidden);
        let now = store.genres_now(&card.genres)?;
        for (old, now) in card.genres.iter().zip(&now) {
            if old != now {
                lessons.renamed.insert(old.clone(), now.clone());
            }
            if !lessons.genres.contains(now) && !given_up(now) {
                lessons.genres.push(now.clone());
            }
        }
        lessons.add_genres(&by_track, settings.new_genre_tracks as usize);
        let mut groups = Groups {
            acts: by_track.values().flatten().filter(|c| c.origin == Origin::Like).map(|c| c.batch).collect(),
            roots: store.roots()?.into_iter().map(|(path, ..)| path).collect(),
            ..Groups::default()
        };
        for (&track, said) in &by_track {
            lessons.add(store, card, track, said, &mut groups)?;
        }
        for lesson in &mut lessons.tracks {
            lesson.group = groups.number(lesson.track);
        }
        Ok(lessons)
    }

    /// Genres that corrections name and the model does not have, where enough tracks are corrected to them.
    fn add_genres(&mut self, by_track: &BTreeMap<i64, Vec<Correction>>, enough: usize) {
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for said in by_track.values() {
            let mut slugs: Vec<&str> = said.iter().flat_map(|c| c.genres.iter().map(|(g, _)| g.as_str())).collect();
            slugs.sort_unstable();
            slugs.dedup();
            for slug in slugs {
                *named.entry(slug).or_default() += 1;
            }
        }
        for (slug, tracks) in named {
            if self.genres.iter().any(|g| g == slug) {
                continue;
            }
            if tracks >= enough {
                self.genres.push(slug.to_owned());
                self.new_genres.push(slug.to_owned());
            } else {
                self.too_few.push((slug.to_owned(), tracks));
            }
        }
    }

    fn add(
        &mut self,
        store: &Store,
        card: &ModelCard,
        track: i64,
        said: &[Correction],
        groups: &mut Groups,
    ) -> Result<(), StoreError> {
        let said: Vec<Said<'_>> = said
            .iter()
            .map(|c| Said {
                span: c.span.map(|s| (s.start_ms, s.end_ms)),
                weights: self.weights(&c.genres),
                correction: c,
            })
            .collect();
        if said.iter().all(|s| s.weights.iter().all(|w| *w == 0.0)) {
            return Ok(());
        }
        let (Some(e), Some(heard)) = (store.embeddings(track, card.trunk_id())?, store.analysis(track)?) else {
            self.unheard += 1;
            return Ok(());
        };
        let stride = u64::from(e.stride.max(1));
        let rows = e.rows();
        if usize::from(e.dim) != self.dim || rows != heard.winners.len().div_ceil(stride as usize) {
            self.unheard += 1;
            return Ok(());
        }
        let nothing = vec![0.0; self.genres.len()];
        let whole = said.iter().rfind(|s| s.span.is_none());
        let index = self.tracks.len() as u32;
        for row in 0..rows as u64 {
            let chunk = u64::from(heard.chunk_ms);
            let middle = heard.start_ms + row * stride * chunk + stride * chunk / 2;
            let covers = |s: &&Said<'_>| s.span.is_some_and(|(from, to)| (from..to).contains(&middle));
            let what = said.iter().rfind(covers).or(whole).map_or(&nothing, |s| &s.weights);
            self.target.extend(what);
            self.track_of_row.push(index);
        }
        self.scale.extend(&e.scales);
        self.embedding.extend(&e.values.0);
        let files = store.files_of(track)?;
        let file = files.iter().find(|f| f.present).or(files.first());
        groups.add(track, file, &said.iter().map(|s| s.correction).collect::<Vec<_>>());
        self.tracks.push(Lesson {
            track,
            path: file.map(|f| f.path.clone()).unwrap_or_default(),
            audio: store.audio_of(track)?.map(|audio| audio.to_string()).unwrap_or_default(),
            group: 0,
            own_word: said.iter().any(|s| s.correction.origin == Origin::Said),
            weights: whole.map_or(nothing, |s| s.weights.clone()),
        });
        Ok(())
    }

    /// Weights that sum to one; none where a genre has no output.
    fn weights(&self, genres: &[(String, u32)]) -> Vec<f32> {
        let mut weights = vec![0.0; self.genres.len()];
        for (slug, weight) in genres {
            if let Some(slot) = self.genres.iter().position(|g| g == slug).and_then(|i| weights.get_mut(i)) {
                *slot += *weight as f32;
            }
        }
        let sum: f32 = weights.iter().sum();
        if sum > 0.0 {
            weights.iter_mut().for_each(|w| *w /= sum);
        }
        weights
    }

    /// Tracks that the user spoke of, and the artists (or albums) that they come from.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let own: Vec<u32> = self.tracks.iter().filter(|t| t.own_word).map(|t| t.group).collect();
        let groups: std::collections::BTreeSet<&u32> = own.iter().collect();
        (own.len(), groups.len())
    }

    /// How many more of what it takes; `None` when there is enough.
    #[must_use]
    pub fn lacks(&self, settings: &config::Retrain) -> Option<String> {
        let (tracks, artists) = self.count();
        let short = |have: usize, want: u32| (want as usize).saturating_sub(have);
        let (t, a) = (short(tracks, settings.min_tracks), short(artists, settings.min_artists));
        if t == 0 && a == 0 {
            return None;
        }
        let plural = |n: usize, what: &str| format!("{n} more {what}{}", if n == 1 { "" } else { "s" });
        let mut wanted = Vec::new();
        if t > 0 {
            wanted.push(plural(t, "track"));
        }
        if a > 0 {
            wanted.push(plural(a, "artist"));
        }
        let unheard = match self.unheard {
            0 => String::new(),
            n => format!(" ({n} corrected ones were not heard yet: `deepcuts scan`)"),
        };
        Some(format!(
            "{tracks} corrected tracks of {artists} artists are too few to learn from: correct {}{unheard}; `deepcuts \
             review` lists those that teach most",
            wanted.join(", of ")
        ))
    }

    /// Write the lessons for the ears.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let words = |values: Vec<u32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (rows, tracks, genres) = (self.scale.len(), self.tracks.len(), self.genres.len());
        let weights: Vec<f32> = self.tracks.iter().flat_map(|t| t.weights.iter().copied()).collect();
        let tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = vec![
            ("embedding", Dtype::I8, vec![rows, self.dim], self.embedding.clone()),
            ("scale", Dtype::F32, vec![rows], bytes(&self.scale)),
            ("track", Dtype::U32, vec![rows], words(self.track_of_row.clone())),
            ("target", Dtype::F32, vec![rows, genres], bytes(&self.target)),
            ("group", Dtype::U32, vec![tracks], words(self.tracks.iter().map(|t| t.group).collect())),
            ("weights", Dtype::F32, vec![tracks, genres], bytes(&weights)),
        ];
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, data)| TensorView::new(*dtype, shape.clone(), data).map(|view| (*name, view)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(std::io::Error::other)?;
        let file = safetensors::serialize(views, None).map_err(std::io::Error::other)?;
        std::fs::write(path, file)
    }
}

/// Tracks that belong together, by what they share.
#[derive(Debug, Default)]
struct Groups {
    /// Acts in which a correction was taken over by look-alikes.
    acts: HashSet<i64>,
    /// Folders of the library: what lies there untagged has nothing in common.
    roots: HashSet<PathBuf>,
    /// The first track seen with a key.
    keys: HashMap<String, i64>,
    parent: HashMap<i64, i64>,
    numbers: HashMap<i64, u32>,
}

impl Groups {
    fn add(&mut self, track: i64, file: Option<&FileRow>, said: &[&Correction]) {
        self.parent.entry(track).or_insert(track);
        for key in self.keys(track, file, said) {
            let first = *self.keys.entry(key).or_insert(track);
            let (a, b) = (self.root(first), self.root(track));
            if a != b {
                self.parent.insert(b.max(a), a.min(b));
            }
        }
    }

    fn root(&self, track: i64) -> i64 {
        let mut at = track;
        while let Some(&up) = self.parent.get(&at).filter(|&&up| up != at) {
            at = up;
        }
        at
    }

    /// Groups numbered in the order in which they are asked for.
    fn number(&mut self, track: i64) -> u32 {
        let root = self.root(track);
        let next = self.numbers.len() as u32;
        *self.numbers.entry(root).or_insert(next)
    }

    /// What a track shares with others: its artist, its album, the act in which its correction was taken over. A
    /// track whose tags say neither belongs to its folder.
    fn keys(&self, track: i64, file: Option<&FileRow>, said: &[&Correction]) -> Vec<String> {
        let mut keys: Vec<String> =
            said.iter().filter(|c| self.acts.contains(&c.batch)).map(|c| format!("act {}", c.batch)).collect();
        let Some(file) = file else { return keys };
        let folded = |text: &Option<String>| text.as_deref().map(|t| fold(t.trim())).filter(|t| !t.is_empty());
        let various = |name: &String| ["various artists", "various", "va"].contains(&name.as_str());
        let artist = folded(&file.tags.artist);
        let whole = folded(&file.tags.album_artist).filter(|name| !various(name));
        let folder = file.path.parent().unwrap_or(Path::new(""));
        keys.extend([&artist, &whole].into_iter().flatten().map(|name| format!("artist {name}")));
        if let Some(album) = folded(&file.tags.album) {
            // Albums of one name are many; those of one artist, or in one folder, are one.
            let of = whole.clone().unwrap_or_else(|| folder.to_string_lossy().into_owned());
            keys.push(format!("album {album} by {of}"));
        }
        if artist.is_none() && whole.is_none() && !self.roots.contains(folder) {
            keys.push(format!("folder {}", folder.to_string_lossy()));
        }
        keys.push(format!("track {track}"));
        keys
    }
}
