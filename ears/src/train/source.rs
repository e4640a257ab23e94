//! Labelled audio becomes a set: files are found, heard once, and kept as features in a cache.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crossbeam_channel::bounded;
use deepcuts_protocol::{FrontEnd, LabelledFile, TrainSay, TrainSource, UNSURE, WirePath, slug};
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use walkdir::WalkDir;

use super::{
    TrainError,
    data::{self, Clip, Frames, Set, TrackRow},
    folds,
};
use crate::{
    decode::{DecodeError, Decoder, guarded},
    mel,
    model::weights,
};

/// Seconds of a track that are learned from: its middle. A symphony should not outweigh an album of songs.
const MOST_SECONDS: f64 = 120.0;
/// A genre with fewer clips than this cannot be learned.
const FEWEST_CLIPS: usize = 2;

/// Read a source. `genres` is the order of an existing network's outputs; where it is empty, the order is the
/// alphabet's (but the paper's for the paper's ten).
///
/// # Errors
/// Names what cannot be read, or what there is too little of.
pub(super) fn read(
    source: &TrainSource,
    front_end: FrontEnd,
    cache: Option<&Path>,
    genres: &[String],
    cancel: &AtomicBool,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Set, TrainError> {
    let (files, tracks) = match source {
        TrainSource::Features { path, tracks } => {
            return data::read_features(&path.0, tracks.as_ref().map(|t| t.0.as_path()));
        }
        TrainSource::Folder { path, tracks } => {
            let rows = tracks.as_ref().map(|t| data::read_tracks(&t.0)).transpose()?.unwrap_or_default();
            (in_genre_folders(&path.0)?, rows)
        }
        TrainSource::Csv { path } => (in_csv(&path.0)?, HashMap::new()),
        TrainSource::List { files } => (files.clone(), HashMap::new()),
    };
    let genres = if genres.is_empty() { order_of(&files) } else { genres.to_vec() };
    if genres.len() < 2 {
        return Err(TrainError::TooLittle(format!("{} genres; there must be at least 2", genres.len())));
    }
    let most = usize::from(UNSURE) - 1;
    if genres.len() > most {
        return Err(TrainError::TooMany(format!("{} genres; a model has at most {most}", genres.len())));
    }
    hear(&files, &tracks, front_end, cache, genres, cancel, say)
}

/// `SOURCE/GENRE/*`, symbolic links followed, loops left out.
pub(super) fn in_genre_folders(folder: &Path) -> Result<Vec<LabelledFile>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: folder.to_path_buf(), reason };
    if !folder.is_dir() {
        return Err(bad("there is no such folder".to_owned()));
    }
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).min_depth(2).follow_links(true).sort_by_file_name().into_iter().flatten() {
        let genre = entry.path().strip_prefix(folder).ok().and_then(|p| p.components().next());
        let Some(genre) = genre.map(|g| slug(&g.as_os_str().to_string_lossy())) else { continue };
        if entry.file_type().is_file() && !genre.is_empty() {
            files.push(LabelledFile {
                path: WirePath(entry.path().to_path_buf()),
                genre,
                artist: None,
                identity: None,
            });
        }
    }
    if files.is_empty() {
        return Err(bad("it holds no files in genre folders (SOURCE/GENRE/FILE)".to_owned()));
    }
    Ok(files)
}

fn in_csv(path: &Path) -> Result<Vec<LabelledFile>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let mut reader = csv::Reader::from_path(path).map_err(|e| bad(e.to_string()))?;
    let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|h| h.trim() == name);
    let missing = |name: &str| bad(format!("it has no column {name}; path and genre are needed, artist is welcome"));
    let file = column("path").ok_or_else(|| missing("path"))?;
    let genre = column("genre").ok_or_else(|| missing("genre"))?;
    let artist = column("artist");
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| bad(e.to_string()))?;
        let get = |at: usize| row.get(at).unwrap_or_default().trim().to_owned();
        let artist = artist.map(get).filter(|a| !a.is_empty());
        let path = WirePath(folder.join(get(file)));
        files.push(LabelledFile { path, genre: slug(&get(genre)), artist, identity: None });
    }
    Ok(files)
}

/// The paper's ten in the paper's order, then others by name.
fn order_of(files: &[LabelledFile]) -> Vec<String> {
    const PAPER: [&str; 10] =
        ["pop", "metal", "disco", "blues", "reggae", "classical", "rock", "hiphop", "country", "jazz"];
    let mut genres: Vec<String> = files.iter().map(|f| f.genre.clone()).filter(|g| !g.is_empty()).collect();
    genres.sort();
    genres.dedup();
    let place = |g: &String| PAPER.iter().position(|p| p == g).unwrap_or(PAPER.len());
    genres.sort_by(|a, b| place(a).cmp(&place(b)).then(a.cmp(b)));
    genres
}

/// Hear every file with a worker for each core, and keep those that could be heard.
fn hear(
    files: &[LabelledFile],
    tracks: &HashMap<String, TrackRow>,
    front_end: FrontEnd,
    cache: Option<&Path>,
    genres: Vec<String>,
    cancel: &AtomicBool,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Set, TrainError> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    // One result a worker may wait while the voice speaks.
    let (results, heard) = bounded(workers);
    let mut frames: Vec<Option<Frames>> = files.iter().map(|_| None).collect();
    let mut failed = 0;
    thread::scope(|scope| {
        for _ in 0..workers {
            let (results, next) = (results.clone(), &next);
            scope.spawn(move || {
                while !cancel.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    if results.send((at, frames_of(file, front_end, cache))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        for (done, (at, result)) in heard.iter().enumerate() {
            match result {
                Ok(f) => {
                    if let Some(slot) = frames.get_mut(at) {
                        *slot = Some(f);
                    }
                }
                Err(reason) => {
                    failed += 1;
                    if let Some(file) = files.get(at) {
                        say(TrainSay::Skipped { path: file.path.clone(), reason });
                    }
                }
            }
            say(TrainSay::Hearing { done: done as u32 + 1, total: files.len() as u32, failed });
        }
    });
    if cancel.load(Ordering::Relaxed) {
        return Err(TrainError::TooLittle("stopped before the music was heard; what was heard is cached".to_owned()));
    }
    collect(files, frames, tracks, front_end, genres, say)
}

fn collect(
    files: &[LabelledFile],
    frames: Vec<Option<Frames>>,
    tracks: &HashMap<String, TrackRow>,
    front_end: FrontEnd,
    genres: Vec<String>,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Set, TrainError> {
    let mut rows = Vec::new();
    for (file, frames) in files.iter().zip(frames) {
        let label = genres.iter().position(|g| *g == file.genre);
        let (Some(frames), Some(label)) = (frames, label) else { continue };
        let name = file.path.0.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let row = tracks.get(&name);
        let artist = file.artist.clone().or_else(|| row.map(|r| r.artist.clone())).unwrap_or_default();
        rows.push((name, artist, label, row.and_then(|r| r.sturm), frames));
    }
    for (i, genre) in genres.iter().enumerate() {
        let n = rows.iter().filter(|r| r.2 == i).count();
        if n < FEWEST_CLIPS {
            say(TrainSay::Note { text: format!("{genre}: only {n} clips, too few to learn it well") });
        }
    }
    let artists: Vec<String> = rows.iter().map(|r| r.1.clone()).collect();
    let unknown = artists.iter().filter(|a| a.is_empty()).count();
    if unknown > 0 {
        let all = artists.len();
        let text = format!("{unknown} of {all} files name no artist; each is taken for an artist of its own");
        say(TrainSay::Note { text });
    }
    let clips = (rows.into_iter().zip(folds::number_groups(&artists)))
        .map(|((name, artist, label, sturm, frames), group)| Clip {
            name,
            artist,
            label: u8::try_from(label).unwrap_or(u8::MAX),
            group,
            sturm,
            frames,
        })
        .collect();
    Ok(Set { genres, front_end, bands: mel::bands(front_end), clips, taps: None })
}

/// All of a song, for its proportions. Not cached: a song is judged once.
pub(super) fn whole_song(file: &LabelledFile, front_end: FrontEnd) -> Result<Frames, String> {
    let values = mel_of(&file.path.0, front_end, 1).map_err(|e| e.to_string())?;
    Ok(small(&values, front_end))
}

/// Features of a file, from the cache where it was heard before.
fn frames_of(file: &LabelledFile, front_end: FrontEnd, cache: Option<&Path>) -> Result<Frames, String> {
    let path = &file.path.0;
    let Some(cache) = cache else { return listen(path, front_end).map_err(|e| e.to_string()) };
    let key = match &file.identity {
        Some(identity) => blake3::hash(identity.as_bytes()).to_hex().to_string(),
        None => hash_file(path).map_err(|e| e.to_string())?,
    };
    let kept = cache.join(format!("{}-v{}", front_end.name(), mel::FEATURE_VERSION)).join(key + ".safetensors");
    if let Some(frames) = read_kept(&kept) {
        return Ok(frames);
    }
    let frames = listen(path, front_end).map_err(|e| e.to_string())?;
    keep(&kept, &frames, mel::bands(front_end)).map_err(|e| format!("cannot cache it in {}: {e}", kept.display()))?;
    Ok(frames)
}

fn hash_file(path: &PathBuf) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The frames of a file that are learned from: its middle.
fn listen(path: &Path, front_end: FrontEnd) -> Result<Frames, DecodeError> {
    let values = mel_of(path, front_end, 1)?;
    let bands = mel::bands(front_end);
    let most = (MOST_SECONDS * 1000.0 / mel::column_ms(front_end)) as usize;
    let frames = values.len() / bands;
    let first = frames.saturating_sub(most) / 2;
    let middle = values.get(first * bands..(first + frames.min(most)) * bands).unwrap_or(&values);
    Ok(small(middle, front_end))
}

/// As small as the front end's values allow.
fn small(values: &[f32], front_end: FrontEnd) -> Frames {
    match front_end {
        FrontEnd::Cuts => Frames::Bytes(values.iter().map(|v| (v * 255.0).round() as u8).collect()),
        FrontEnd::Paper128 | FrontEnd::Paper256 => Frames::Halves(values.iter().map(|&v| f16::from_f32(v)).collect()),
    }
}

/// Decode a file and compute its mel, in chunks of so many frames; 1 for whoever cuts the chunks later.
pub(super) fn mel_of(path: &Path, front_end: FrontEnd, chunk: usize) -> Result<Vec<f32>, DecodeError> {
    guarded(|| {
        let mut decoder = Decoder::open(path)?;
        let mut values = Vec::new();
        let mut sink = |chunks: mel::Chunks| {
            values.extend_from_slice(&chunks.data);
            Ok::<(), DecodeError>(())
        };
        let mut stream: Option<mel::Stream> = None;
        let mut window = Vec::new();
        while decoder.next_window(&mut window)? {
            let rate = decoder.format().sample_rate_hz;
            stream.get_or_insert_with(|| mel::Stream::new(front_end, chunk, rate)).push(&window, rate, &mut sink)?;
        }
        if let Some(stream) = stream {
            stream.finish(&mut sink)?;
        }
        Ok::<_, DecodeError>(values)
    })
}

/// Keep frames in the cache.
pub(super) fn keep(path: &Path, frames: &Frames, bands: usize) -> Result<(), String> {
    let shape = vec![frames.len() / bands, bands];
    let (kind, bytes) = match frames {
        Frames::Bytes(v) => (Dtype::U8, v.clone()),
        Frames::Halves(v) => (Dtype::F16, v.iter().flat_map(|h| h.to_le_bytes()).collect()),
    };
    let view = TensorView::new(kind, shape, &bytes).map_err(|e| e.to_string())?;
    let file = safetensors::serialize([("mel", view)], None).map_err(|e| e.to_string())?;
    weights::write_whole(path, &file).map_err(|e| e.to_string())
}

/// Features kept earlier; anything odd about them means listening again.
pub(super) fn read_kept(path: &Path) -> Option<Frames> {
    let bytes = fs::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let mel = file.tensor("mel").ok()?;
    match mel.dtype() {
        Dtype::U8 => Some(Frames::Bytes(mel.data().to_vec())),
        Dtype::F16 => {
            let halves = mel.data().chunks_exact(2).filter_map(|b| Some(f16::from_le_bytes(b.try_into().ok()?)));
            Some(Frames::Halves(halves.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Two seconds of a tone as a WAV.
    fn tone(path: &Path, hz: f32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 22_050,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec).unwrap();
        for i in 0..44_100 {
            let value = (i as f32 * hz * std::f32::consts::TAU / 22_050.0).sin();
            file.write_sample((value * 12_000.0) as i16).unwrap();
        }
        file.finalize().unwrap();
    }

    fn read_folder(folder: &Path, cache: &Path) -> (Set, Vec<TrainSay>) {
        let mut said = Vec::new();
        let source = TrainSource::Folder { path: folder.into(), tracks: None };
        let stop = AtomicBool::new(false);
        let set = read(&source, FrontEnd::Cuts, Some(cache), &[], &stop, &mut |s| said.push(s)).unwrap();
        (set, said)
    }

    #[test]
    fn a_folder_of_genre_folders_is_heard_once_and_a_bad_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (music, cache) = (dir.path().join("music"), dir.path().join("cache"));
        tone(&music.join("Hip-Hop/a.wav"), 200.0);
        tone(&music.join("jazz/deeper/b.wav"), 900.0);
        fs::write(music.join("jazz/notes.wav"), b"no audio at all").unwrap();
        let (set, said) = read_folder(&music, &cache);
        assert_eq!(set.genres, ["hiphop", "jazz"]);
        assert_eq!(set.clips.len(), 2);
        assert!(said.iter().any(|s| matches!(s, TrainSay::Skipped { path, .. } if path.0.ends_with("notes.wav"))));
        assert_eq!(fs::read_dir(cache.join("cuts-v1")).unwrap().count(), 2);

        // A second time, under another name, from the cache: the same values.
        fs::rename(music.join("jazz/deeper/b.wav"), music.join("jazz/c.wav")).unwrap();
        let (again, _) = read_folder(&music, &cache);
        assert_eq!(fs::read_dir(cache.join("cuts-v1")).unwrap().count(), 2);
        assert_eq!(again.clips.iter().find(|c| c.name == "c").unwrap().frames, set.clips[1].frames);
    }

    #[test]
    fn genres_are_spelled_as_the_desk_spells_them() {
        let dir = tempfile::tempdir().unwrap();
        for genre in ["R&B", "Électro"] {
            fs::create_dir_all(dir.path().join(genre)).unwrap();
            fs::write(dir.path().join(genre).join("a.wav"), "").unwrap();
        }
        let genres: Vec<String> = in_genre_folders(dir.path()).unwrap().into_iter().map(|f| f.genre).collect();
        assert_eq!(genres, ["rnb", "electro"]);
    }

    #[test]
    fn more_genres_than_a_model_can_have_are_refused_before_anything_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let rows: String = (0..255).map(|i| format!("nowhere.wav,genre {i}\n")).collect();
        fs::write(dir.path().join("list.csv"), format!("path,genre\n{rows}")).unwrap();
        let source = TrainSource::Csv { path: dir.path().join("list.csv").as_path().into() };
        let mut said = 0;
        let stop = AtomicBool::new(false);
        let error = read(&source, FrontEnd::Cuts, None, &[], &stop, &mut |_| said += 1).unwrap_err().to_string();
        assert!(error.contains("255 genres") && error.contains("254") && said == 0, "{error}");
    }

    #[test]
    fn a_csv_names_paths_relative_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("list.csv"), "path,genre,artist\nx/a.wav,Rock,The A\nb.wav,jazz,\n").unwrap();
        let files = in_csv(&dir.path().join("list.csv")).unwrap();
        assert_eq!(files[0].path.0, dir.path().join("x/a.wav"));
        assert_eq!((files[0].genre.as_str(), files[0].artist.as_deref()), ("rock", Some("The A")));
        assert_eq!(files[1].artist, None);
        fs::write(dir.path().join("windows.csv"), "\u{feff}path,genre\r\n\"a, b.wav\",jazz\r\n").unwrap();
        assert_eq!(in_csv(&dir.path().join("windows.csv")).unwrap()[0].path.0, dir.path().join("a, b.wav"));
        fs::write(dir.path().join("bad.csv"), "file,genre\na,b\n").unwrap();
        assert!(in_csv(&dir.path().join("bad.csv")).unwrap_err().to_string().contains("no column path"));
    }
}
