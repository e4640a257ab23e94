//! What the runs say together: temperature, threshold, the card, and the weights that ship.

use std::{path::PathBuf, time::SystemTime};

use deepcuts_protocol::{FoldScore, ModelCard, Split};

use super::{
    TrainError,
    calibrate::{self, Judged},
    familiar,
    fit::Model,
    job::{Job, RunRecord},
    split,
};
use crate::model::{arch, weights};

/// At most this share of the rightly named chunks falls below the unsure threshold.
const RIGHT_CHUNKS_LOST: f64 = 0.15;

/// Write `NAME.safetensors` and `NAME.json`: the first seed's weights of the lowest fold that was run, calibrated on
/// what all runs said of clips they had not seen.
pub(super) fn ship(job: &Job<'_>, records: &[RunRecord]) -> Result<PathBuf, TrainError> {
    let chosen = (records.iter())
        .min_by_key(|r| (job.job.seeds.iter().position(|s| *s == r.score.seed), r.score.fold))
        .ok_or_else(|| TrainError::TooLittle("no run was made".to_owned()))?;
    let chunks: Vec<Judged> = records.iter().flat_map(RunRecord::chunks).collect();
    let refs: Vec<&Judged> = chunks.iter().collect();
    let temperature = calibrate::temperature(&refs);
    let pairs = calibrate::cross_fitted(&chunks);
    let below = calibrate::unsure_below(&pairs, RIGHT_CHUNKS_LOST);

    let weights_path = job.stem(chosen.score.seed, chosen.score.fold).with_extension("safetensors");
    let path = job.job.out.0.join(format!("{}.safetensors", job.name));
    let fail = |reason: String| TrainError::Output { path: path.clone(), reason };
    let model = Model::read(&weights_path, job.arch, &job.recipe, job.set.genres.len(), job.device)?;
    let known = familiar::measure(job, &model, chosen)?;
    let mut tensors = model.vs.variables();
    tensors.extend(known.tensors());
    let bytes = weights::to_bytes(&tensors, weights::metadata(&job.recipe.net)).map_err(|e| fail(e.to_string()))?;
    let id = weights::id_of(&bytes);
    let frames = job.arch.input()[0];
    let artist = job.job.split == Split::Artist;
    let card = ModelCard {
        name: job.name.clone(),
        arch: job.arch.name().to_owned(),
        weights_blake3: id.clone(),
        front_end: job.set.front_end,
        feature_version: crate::mel::FEATURE_VERSION,
        genres: job.set.genres.clone(),
        chunk_frames: frames as u32,
        chunk_ms: arch::chunk_ms(job.set.front_end, frames),
        embedding_dim: u16::try_from(job.arch.embedding(&job.recipe.net)).unwrap_or(u16::MAX),
        temperature: temperature as f32,
        unsure_below: below as f32,
        data: job.job.data.clone().unwrap_or_else(|| "the user's own files".to_owned()),
        licence: job.job.licence.clone().unwrap_or_else(|| "the user's own".to_owned()),
        protocol: protocol(job, chosen, records),
        folds: records.iter().map(fold_score).collect(),
        unsure: Some(calibrate::unsure_score(&pairs, below)),
        trunk: None,
        held_out_fold: artist.then_some(chosen.score.fold),
        calibration_error: Some(calibrate::error_of(&calibrate::curve(&pairs))),
        unfamiliar_beyond: Some(known.beyond),
        parameters: Some(chosen.parameters),
        macs_per_chunk: Some(job.arch.macs(&job.recipe.net, job.set.genres.len())),
        parent: None,
        created: rfc3339(SystemTime::now()),
    };
    weights::write_whole(&path, &bytes).map_err(|e| fail(e.to_string()))?;
    let text = serde_json::to_string_pretty(&card).map_err(|e| fail(e.to_string()))?;
    weights::write_whole(&ModelCard::path_for(&path), text.as_bytes()).map_err(|e| fail(e.to_string()))?;
    known.write_replay(job, &id, &path.with_extension("replay.safetensors"))?;
    known.write_features(&id, &path.with_extension("features.safetensors"))?;
    Ok(path)
}

fn fold_score(record: &RunRecord) -> FoldScore {
    let s = &record.score;
    FoldScore {
        fold: s.fold,
        seed: s.seed,
        clips: s.clips,
        clip_accuracy: s.clip_accuracy,
        chunk_accuracy: s.chunk_accuracy,
    }
}

fn protocol(job: &Job<'_>, chosen: &RunRecord, records: &[RunRecord]) -> String {
    let s = &chosen.score;
    let chunks = chosen.judged.len() as f64 / f64::from(s.clips.max(1));
    let split = match job.job.split {
        Split::Artist => format!(
            "{} artist folds (grouped by artist, stratified by genre, dealt with seed {}). The shipped weights are those \
             of seed {}, trained without fold {}: its artists were never seen by them.",
            job.job.folds,
            split::FOLD_SEED,
            s.seed,
            s.fold
        ),
        other => format!("{}.", other.meaning()),
    };
    let alone = records.iter().all(|r| r.score.fold == s.fold);
    let calibrated = match (job.job.split, alone) {
        (Split::Artist, true) => format!(
            "Fold {} alone was run. Temperature and calibration error: fitted on that fold itself, which is kind to them.",
            s.fold
        ),
        (_, true) => "Temperature and calibration error: fitted on the same chunks, which is kind to them.".to_owned(),
        (_, false) => "Temperature and calibration error: fitted on the other folds.".to_owned(),
    };
    let teach = &chosen.recipe.teacher;
    let taught = if teach.share > 0.0 {
        format!(
            " It was taught by deep, fitted to the same side of the split: {:.0} % of what it learned is what deep says is \
             in mixtures of two chunks, the rest their labels.",
            teach.share * 100.0
        )
    } else {
        String::new()
    };
    let early = if chosen.stopped_early { " Training was stopped early." } else { "" };
    format!(
        "{split}{taught} A clip is named by the mean of its chunks' scores, {chunks:.1} chunks a clip side by side; \
         accuracies are of clips and chunks of the fold left out. {calibrated} Unsure: at most {:.0} % of the rightly named held-out chunks fall below the threshold; beyond that, \
         chunks unlike everything that was trained on, which are {:.0} % of the held-out chunks.{early}",
        RIGHT_CHUNKS_LOST * 100.0,
        familiar::STRANGE_SHARE * 100.0
    )
}

/// UTC, to the second.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days, counted from 0000-03-01 in eras of 400 years.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * m + 2) / 5 + 1, if m < 10 { m + 3 } else { m - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // `date -u -d @951782400` and `date -u -d @1798761599`
        let at = |s| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
