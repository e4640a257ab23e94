//! How a model was trained and judged, from the report beside its weights (`reports/NAME/report.json`), that of its
//! retraining (`reports/NAME.json`) and the records of its runs (`NAME.runs/*.json`). Any of them may be absent, of another model, or damaged: then less is known.

use std::{fs, path::Path};

use deepcuts_protocol::Paired;
use serde_json::Value;

use super::Context;
use crate::{
    genre::Genre,
    store::ModelRow,
    tui::screens::models::{Report, RunCurve},
};

/// Larger files are no report of ours.
const MOST_BYTES: u64 = 32 << 20;

/// All that is known of `model`.
pub fn read(model: &ModelRow, context: &Context) -> Report {
    let weights = &model.path;
    let name = weights.file_stem().unwrap_or_default();
    let folders = [weights.parent().map(Path::to_path_buf), Some(context.paths.user_models.clone())];
    for folder in folders.into_iter().flatten() {
        let places = [folder.join("reports").join(name).join("report.json"), folder.join(name).join("report.json")];
        for document in places.iter().filter_map(|path| json(path)) {
            let networks = document["networks"].as_array();
            // A report may be of several networks, or of weights that have been replaced since.
            let own = networks.into_iter().flatten().find(|n| n["id"].as_str() == Some(model.card.id()));
            if let Some(report) = own.map(|network| of(network, &document["genres"])) {
                return report;
            }
        }
    }
    if let Some(report) = retrained(&context.paths.user_models.join("reports"), model) {
        return report;
    }
    Report { runs: records(&weights.with_extension("runs"), model), ..Report::default() }
}

/// The report of its retraining, if it is of these weights.
fn retrained(folder: &Path, model: &ModelRow) -> Option<Report> {
    let name = model.path.file_stem()?.to_str()?;
    let document = json(&folder.join(format!("{name}.json")))?;
    let report = &document["report"];
    let paired = |v: &Value| serde_json::from_value::<Paired>(v.clone()).ok();
    (report["candidate"].as_str() == Some(model.card.id())).then_some(())?;
    Some(Report {
        retrained: Some((paired(&report["mine"])?, paired(&report["base"]))),
        runs: document["runs"].as_array().into_iter().flatten().filter_map(run).collect(),
        ..Report::default()
    })
}

fn json(path: &Path) -> Option<Value> {
    let file = fs::metadata(path).ok().filter(|m| m.is_file() && m.len() <= MOST_BYTES);
    file.and_then(|_| serde_json::from_slice(&fs::read(path).ok()?).ok())
}

fn of(network: &Value, genres: &Value) -> Report {
    let genres: Vec<Genre> =
        genres.as_array().into_iter().flatten().filter_map(|g| g.as_str().and_then(Genre::new)).collect();
    let count = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
    let rows = network["confusion"].as_array().map_or(&[][..], Vec::as_slice);
    let confusion: Vec<Vec<u32>> = rows
        .iter()
        .map(|row| row.as_array().into_iter().flatten().map(|n| count(n).unwrap_or(0)).collect())
        .filter(|row: &Vec<u32>| row.len() == genres.len())
        .collect();
    let square = confusion.len() == genres.len();
    let interval = network["interval95"].as_array().and_then(|i| i.first()?.as_f64().zip(i.get(1)?.as_f64()));
    Report {
        model: String::new(),
        retrained: None,
        right: count(&network["clips_right"]).zip(count(&network["clips"])),
        interval,
        runs: network["runs"].as_array().into_iter().flatten().filter_map(run).collect(),
        confusion: if square { confusion } else { Vec::new() },
        genres: if square { genres } else { Vec::new() },
    }
}

/// A run of a report, or a record of one: both have a score and a curve.
fn run(run: &Value) -> Option<RunCurve> {
    let points = run["curve"].as_array()?;
    let point = |p: &Value| Some((p["step"].as_f64()?, p["train_accuracy"].as_f64()?, p["valid_accuracy"].as_f64()?));
    Some(RunCurve {
        fold: run["score"]["fold"].as_u64().and_then(|f| u32::try_from(f).ok()).unwrap_or(0),
        seed: run["score"]["seed"].as_u64().unwrap_or(0),
        points: points.iter().filter_map(point).collect(),
    })
}

fn records(folder: &Path, model: &ModelRow) -> Vec<RunCurve> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    let genres = &model.card.genres;
    let own = |record: &Value| {
        let named = record["genres"].as_array().into_iter().flatten().filter_map(Value::as_str);
        named.eq(genres.iter().map(String::as_str))
    };
    paths.iter().filter_map(|path| json(path)).filter(own).filter_map(|record| run(&record)).collect()
}
