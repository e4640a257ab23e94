//! Every screen as it looks, at 80x24 and 140x40, from fixed answers of the workers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "tui/limits.rs"]
mod limits;

use std::sync::Arc;

use deepcuts::{
    config::KeySetting,
    genre::{Genre, Taxonomy},
    search::why::Clause,
    store::{Correction, FileRow, ModelRow, Span},
    track::{FileStamp, FileTags, Mix, Source},
    tui::{
        app::{App, SettingsText},
        data::{Answer, Counts, Detail, DetailFile, FailureRow, Job, JobState, Row, Spec, Timeline},
        event::{Ask, Done, Effect, Event, Slot, Tone},
        keys::{self, Keys},
        screens::{
            editor::Found,
            history::{Run, Written},
            map::{Point, Points},
            models::{Report, RunCurve},
            retrain::{self, News, Verdict},
            review::{Item, Lessons, Queue},
            tags::{Change, Preview},
        },
        theme::{Depth, Genres, Theme},
        view,
    },
};
use deepcuts_protocol::{GenreGain, Paired};
use ratatui::{Terminal, backend::TestBackend, style::Color};

fn genre(name: &str) -> Genre {
    Genre::new(name).unwrap()
}

fn genres() -> Genres {
    let mut taxonomy = Taxonomy::default();
    for name in
        ["Blues", "Classical", "Country", "Disco", "Hip-Hop", "Jazz", "Metal", "Pop", "Reggae", "Rock", "Zydeco"]
    {
        taxonomy.add(name);
    }
    Genres::of(&taxonomy)
}

fn row(id: i64, artist: &str, album: &str, title: &str, won: &[(&str, u32)], source: Source) -> Arc<Row> {
    let tags = FileTags {
        title: Some(title.into()),
        artist: Some(artist.into()),
        album: Some(album.into()),
        year: Some(1959),
        track_no: Some(1),
        ..FileTags::default()
    };
    let file = FileRow {
        id,
        track: id,
        path: format!("/music/{artist}/{album}/{title}.flac").into(),
        stamp: FileStamp { dev: 1, ino: 1, size: 1, mtime_ns: 0, ctime_ns: 0 },
        format: "flac".into(),
        present: true,
        tags,
        written_genres: None,
        duration_ms: Some(120_000 + id * 17_000),
    };
    let mix = Mix::new(won.iter().map(|(g, n)| (genre(g), *n)), 100, source).filter(|_| !won.is_empty());
    Arc::new(Row::of(file, mix))
}

/// Rows with wide, joined, right-to-left and hostile text among them.
fn rows() -> Vec<Arc<Row>> {
    vec![
        row(1, "Miles Davis", "Kind of Blue", "So What", &[("jazz", 71), ("blues", 19)], Source::Model),
        row(2, "Miles Davis", "Kind of Blue", "Freddie Freeloader", &[("jazz", 55), ("blues", 40)], Source::User),
        row(3, "久石譲", "菊次郎の夏", "Summer 🌻", &[("classical", 62), ("pop", 21)], Source::Model),
        row(4, "Motörhead", "Overkill", "Stay Clean", &[("metal", 88), ("rock", 12)], Source::Model),
        row(5, "evil\u{1b}]52;c;cm0=\u{7}", "a\u{202e}b", "\u{1b}[2Jgone\u{200b}", &[("disco", 40)], Source::Model),
        row(6, "Clifton Chenier", "Bogalusa Boogie", "One Step At A Time", &[("zydeco", 1)], Source::File),
        row(7, "Nobody", "Demo", "Take 3", &[], Source::Model),
    ]
}

fn detail(row: &Arc<Row>) -> Detail {
    let mut chunks = vec![(None, 30); 3];
    chunks.extend(vec![(Some(genre("jazz")), 230); 12]);
    chunks.extend(vec![(Some(genre("blues")), 140); 5]);
    chunks.extend(vec![(Some(genre("jazz")), 190); 4]);
    Detail {
        row: Arc::clone(row),
        files: vec![DetailFile {
            path: row.path.clone(),
            format: "flac".into(),
            present: true,
            size: 24_600_000,
            genres: vec!["Jazz".into(), "Modal \u{1b}[31mJazz".into()],
            written: None,
        }],
        timeline: Some(Timeline { start_ms: 8_000, chunk_ms: 5_000, chunks }),
        heard: row.mix.clone(),
        model: Some(("cuts".into(), "90a3e302aa71ffff".into())),
        heard_ms: Some(1_790_000_000_000),
        corrections: vec![Correction {
            id: 1,
            batch: 1,
            track: row.track,
            span: Some(Span { start_ms: 60_000, end_ms: 85_000 }),
            genres: vec![("reggae".into(), 1)],
            at_ms: 0,
            undone_ms: None,
            origin: deepcuts::store::Origin::Said,
        }],
        similar: vec![(93, row_like())],
    }
}

fn row_like() -> Arc<Row> {
    row(9, "Bill Evans", "Explorations", "Nardis", &[("jazz", 90)], Source::Model)
}

struct Ui {
    app: App,
    terminal: Terminal<TestBackend>,
    effects: Vec<Effect>,
}

impl Ui {
    fn new(depth: Depth, width: u16, height: u16) -> Self {
        Self::themed(Theme::new(depth), width, height)
    }

    fn themed(theme: Theme, width: u16, height: u16) -> Self {
        let lines = ["[library]", "roots = []", "*exclude = [\"Audiobooks/\"]", "", "[tags]", "policy = \"fill\""];
        let settings = SettingsText {
            path: "/home/listener/.config/deepcuts/config.toml".into(),
            lines: lines.map(str::to_owned).to_vec(),
        };
        let (app, effects) = App::new(theme, settings);
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut ui = Self { app, terminal, effects };
        ui.done(Done::Genres(Arc::new(genres())));
        ui.done(Done::Counts(Counts { files: 7, heard: 5, corrected: 1, failed: 2, loading: false }));
        ui.done(Done::View(Slot::Library, Box::new(view::make(Spec::default(), rows(), None, &genres()))));
        ui
    }

    fn done(&mut self, done: Done) {
        let effects = self.app.update(Event::Done(done));
        self.effects.extend(effects);
    }

    /// Keys by the names of the key table, separated by spaces.
    fn keys(&mut self, script: &str) -> &mut Self {
        for name in script.split_whitespace() {
            let effects = self.app.update(Event::Key(keys::parse(name).unwrap()));
            self.effects.extend(effects);
        }
        self
    }

    fn screen(&mut self) -> String {
        self.terminal.draw(|frame| self.app.draw(frame)).unwrap();
        self.terminal.backend().to_string()
    }
}

/// A snapshot at both sizes of what `prepare` leads to.
fn both(name: &str, prepare: impl Fn(&mut Ui)) {
    for (width, height) in [(80, 24), (140, 40)] {
        let mut ui = Ui::new(Depth::True, width, height);
        prepare(&mut ui);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), ui.screen());
    }
}

#[test]
fn library() {
    both("library", |ui| {
        ui.done(Done::Detail(Box::new(detail(&rows()[5]))));
        ui.keys("j Space");
    });
}

#[test]
fn library_without_colours() {
    let mut ui = Ui::new(Depth::Mono, 80, 24);
    insta::assert_snapshot!("library_mono", ui.screen());
    for cell in ui.terminal.backend().buffer().content() {
        assert_eq!((cell.fg, cell.bg), Default::default(), "a colour on {:?}", cell.symbol());
    }
}

#[test]
fn sixteen_colours_are_enough() {
    let mut ui = Ui::new(Depth::Sixteen, 80, 24);
    ui.screen();
    let rich = |c: Color| matches!(c, Color::Rgb(..) | Color::Indexed(_));
    assert!(!ui.terminal.backend().buffer().content().iter().any(|cell| rich(cell.fg) || rich(cell.bg)));
}

#[test]
fn an_empty_library_says_what_to_do() {
    both("empty", |ui| {
        ui.done(Done::Counts(Counts::default()));
        ui.done(Done::View(Slot::Library, Box::new(view::make(Spec::default(), Vec::new(), None, &genres()))));
    });
}

#[test]
fn track() {
    both("track", |ui| {
        // Ordered by artist: Clifton Chenier, the hostile one, Miles Davis, ...
        ui.keys("j j l");
        ui.done(Done::Detail(Box::new(detail(&rows()[0]))));
        ui.done(Done::Detail(Box::new(detail(&rows()[1]))));
        ui.keys("l l l l v l l l");
    });
}

#[test]
fn search() {
    both("search", |ui| {
        ui.keys("/ m o s t l y Space j a z z");
        let answer = Answer {
            meaning: "jazz >= 50% and largest".into(),
            notes: vec!["5 of 7 tracks are heard".into()],
            error: None,
        };
        let spec = Spec { query: "mostly jazz".into(), ..Spec::default() };
        let found = rows()[..2].to_vec();
        ui.done(Done::View(Slot::Search, Box::new(view::make(spec, found, Some(answer), &genres()))));
        let clause = |depth, asked: &str, holds, has: &str| Clause {
            depth,
            asked: asked.into(),
            holds: Some(holds),
            has: has.into(),
        };
        let clauses = vec![
            clause(0, "jazz >= 50% and largest", true, "55%, next blues 40%"),
            clause(0, "any of", true, ""),
            clause(1, "\"davis\" in title, artist, album or path", true, "in its artist, path"),
            clause(1, "year 1970..1980", false, "1959"),
        ];
        ui.done(Done::Why(2, "mostly jazz".into(), clauses));
    });
}

#[test]
fn a_search_that_makes_no_sense() {
    both("search_error", |ui| {
        ui.keys("/ j a z z Space >");
        let answer = Answer { error: Some(("a number is missing after >".into(), 5, 6)), ..Answer::default() };
        let spec = Spec { query: "jazz >".into(), ..Spec::default() };
        ui.done(Done::View(Slot::Search, Box::new(view::make(spec, Vec::new(), Some(answer), &genres()))));
    });
}

#[test]
fn searches_before_anything_is_typed() {
    both("searches", |ui| {
        let kept = vec![("dinner".into(), "mostly jazz".into())];
        ui.done(Done::Searches { history: vec!["blues".into(), "year:1959".into()], kept });
        ui.keys("3 j");
    });
}

#[test]
fn jobs() {
    both("jobs", |ui| {
        ui.done(Done::Failures(vec![
            FailureRow {
                path: "/music/cut off.mp3".into(),
                stage: "decode".into(),
                reason: "the file ends before its audio does".into(),
            },
            FailureRow { path: "/music/notes.mp3".into(), stage: "probe".into(), reason: "this is text".into() },
        ]));
        ui.done(Done::Job(Job {
            title: "Listening".into(),
            state: JobState::Running,
            done: 1234,
            total: 9830,
            looking: false,
            rate: 21.4,
            failed: 2,
            current: "/music/Miles Davis/Kind of Blue/So What.flac".into(),
            said: String::new(),
        }));
        ui.keys("5 j");
    });
}

#[test]
fn help() {
    both("help", |ui| {
        ui.keys("?");
    });
}

#[test]
fn editor() {
    both("editor", |ui| {
        ui.keys("j j e 6 1 Right Right s k a");
    });
}

#[test]
fn command_line() {
    both("command", |ui| {
        ui.keys(": s o r");
    });
}

#[test]
fn settings() {
    both("settings", |ui| {
        ui.keys(",");
    });
}

#[test]
fn tag_preview() {
    both("tags", |ui| {
        ui.keys("W");
        let change = |file, name: &str, from: &[&str], to: &[&str]| Change {
            file,
            path: format!("/music/{name}").into(),
            from: from.iter().map(|g| (*g).to_owned()).collect(),
            to: to.iter().map(|g| (*g).to_owned()).collect(),
            notes: Vec::new(),
            bytes: 24_600_000,
        };
        ui.done(Done::TagPreview(Box::new(Preview {
            changes: vec![
                change(1, "So What.flac", &[], &["Jazz"]),
                change(2, "Freddie Freeloader.flac", &["Other"], &["Jazz", "Blues"]),
            ],
            refused: vec![("/music/linked.flac".into(), "it has 2 hard links".into())],
            equal: 3,
            kept: vec![("not heard yet".into(), 1)],
            policy: "fill".into(),
        })));
        ui.keys("Space w");
    });
}

#[test]
fn history() {
    both("history", |ui| {
        ui.keys("H");
        ui.done(Done::History(vec![Run {
            id: 3,
            kind: "tag".into(),
            what: "mostly jazz".into(),
            started_ms: 1_790_000_000_000,
            done: 1,
            refused: 0,
            undone: 1,
            writes: vec![Written {
                path: "/music/So What.flac".into(),
                from: Vec::new(),
                to: vec!["Jazz".into()],
                state: "done",
            }],
        }]));
        ui.keys("z");
    });
}

fn model(name: &str, current: bool) -> ModelRow {
    let card = serde_json::json!({
        "name": name, "arch": "cuts", "weights_blake3": format!("{name}3b22c5fcb616ab726c494f7e263f3827ff"),
        "front_end": "cuts", "feature_version": 1, "genres": ["blues", "jazz", "rock"], "chunk_frames": 64,
        "chunk_ms": 4958, "embedding_dim": 128, "temperature": 1.0, "unsure_below": 0.41,
        "data": "clips of three genres", "licence": "MIT OR Apache-2.0", "protocol": "artist folds",
        "created": "2026-09-21T00:00:00Z", "parameters": 211_886, "calibration_error": 0.035,
        "folds": [{"fold": 0, "seed": 0, "clips": 158, "clip_accuracy": 0.54, "chunk_accuracy": 0.53},
                  {"fold": 1, "seed": 0, "clips": 164, "clip_accuracy": 0.65, "chunk_accuracy": 0.61}],
    });
    ModelRow {
        path: format!("/models/{name}.safetensors").into(),
        card: serde_json::from_value(card).unwrap(),
        added_ms: 1_790_000_000_000,
        current,
    }
}

fn models(ui: &mut Ui) {
    let (mine, shipped) = (model("mine-1", true), model("cuts", false));
    let curve = |fold| RunCurve {
        fold,
        seed: 0,
        points: (0..12)
            .map(|i| {
                let x = f64::from(i) / 11.0;
                (x * 1100.0, 0.2 + 0.7 * x.sqrt(), 0.2 + (0.4 - 0.05 * f64::from(fold)) * x.sqrt())
            })
            .collect(),
    };
    let report = Report {
        model: mine.card.id().to_owned(),
        genres: ["blues", "jazz", "rock", "zydeco"].map(genre).to_vec(),
        confusion: vec![vec![21, 3, 13, 0], vec![4, 70, 0, 1], vec![11, 4, 30, 0], vec![0, 0, 1, 9]],
        right: Some((130, 167)),
        interval: Some((0.71, 0.84)),
        runs: vec![curve(0), curve(1)],
        retrained: Some((verdict(true).mine, verdict(true).base)),
    };
    ui.done(Done::Models(vec![mine, shipped]));
    ui.keys("6");
    ui.done(Done::Report(Box::new(report)));
}

#[test]
fn a_models_card() {
    both("models_card", models);
}

#[test]
fn a_models_curves() {
    both("models_curves", |ui| {
        models(ui);
        ui.keys("v b");
    });
}

#[test]
fn a_models_confusion() {
    both("models_confusion", |ui| {
        models(ui);
        ui.keys("v v");
    });
}

fn queue() -> Queue {
    let item = |row: &Arc<Row>, alike| Item {
        row: Arc::clone(row),
        reason: format!("unsure of 62 % of it; {alike} tracks sound like it; unlike anything corrected"),
        short: "unsure of 62 %".into(),
        alike,
    };
    let rows = rows();
    Queue {
        items: vec![item(&rows[2], 14), item(&rows[4], 3), item(&rows[0], 0)],
        lessons: Lessons { tracks: 12, artists: 3, need_tracks: 20, need_artists: 5 },
    }
}

#[test]
fn review() {
    both("review", |ui| {
        ui.keys("r");
        ui.done(Done::Review(Box::new(queue())));
        ui.keys("j j");
        ui.done(Done::Detail(Box::new(detail(&rows()[0]))));
    });
}

#[test]
fn a_track_leaves_the_review_once_it_is_spoken_of() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("4");
    ui.done(Done::Review(Box::new(queue())));
    ui.effects.clear();
    // As heard; left for later; corrected with three keys.
    ui.keys("a s e 6 Enter");
    let said: Vec<_> = ui
        .effects
        .iter()
        .filter_map(|e| match e {
            Effect::Ask(Ask::Correct(new)) => Some(new),
            _ => None,
        })
        .flatten()
        .map(|(c, _)| (c.track, c.genres.clone()))
        .collect();
    assert_eq!(
        said,
        [(3, vec![("Classical".to_owned(), 62), ("Pop".to_owned(), 21)]), (1, vec![("Jazz".to_owned(), 100)])]
    );
    assert!(ui.screen().contains("there is nothing to ask"));
    // Taken back, the queue is made again.
    ui.done(Done::Uncorrected { tracks: 1 });
    assert!(matches!(ui.effects.last(), Some(Effect::Ask(Ask::Review))));
}

#[test]
fn an_editor_with_look_alikes() {
    both("editor_alike", |ui| {
        ui.keys("j j e 6 1 Tab Tab");
        let rows = (0..9).map(|i| {
            (95 - i as u32, row(20 + i, "Bill Evans", "Explorations", "Nardis", &[("jazz", 90)], Source::Model))
        });
        let found = Found { rows: rows.collect(), said: 2, heard_otherwise: 1, contradicted: 0 };
        ui.done(Done::LookAlikes("jazz".into(), Box::new(found)));
    });
}

#[test]
fn the_offer_to_write() {
    both("offer", |ui| {
        let change = |file, name: &str| Change {
            file,
            path: format!("/music/{name}").into(),
            from: Vec::new(),
            to: vec!["Jazz".into(), "Blues".into()],
            notes: Vec::new(),
            bytes: 1000,
        };
        ui.done(Done::Offer(Box::new(Preview {
            changes: vec![change(1, "Miles Davis/Kind of Blue/So What.flac"), change(2, "\u{1b}[31mTrue Blue.mp3")],
            refused: Vec::new(),
            equal: 3,
            kept: vec![("has a genre of its own".into(), 9)],
            policy: "fill".into(),
        })));
    });
}

fn points() -> Points {
    let rows = rows();
    let at = |i: usize| {
        let angle = i as f32 * 2.399;
        (angle.cos() * (i as f32 / 60.0).sqrt(), angle.sin() * (i as f32 / 60.0).sqrt())
    };
    let points = (0..60).map(|i| Point { row: Arc::clone(&rows[(i * 6 + i / 9) % 7]), x: at(i).0, y: at(i).1 });
    Points { points: points.collect(), shown: 0.41 }
}

#[test]
fn map() {
    both("map", |ui| {
        ui.keys("7");
        ui.screen();
        ui.done(Done::Map(Box::new(points())));
        ui.keys("l l j + +");
    });
}

#[test]
fn the_map_without_colours_is_letters() {
    let mut ui = Ui::new(Depth::Mono, 80, 24);
    ui.keys("7");
    ui.screen();
    ui.done(Done::Map(Box::new(points())));
    insta::assert_snapshot!("map_mono", ui.screen());
}

fn verdict(passes: bool) -> Verdict {
    let paired = |tracks, before, after, low, high| Paired {
        tracks,
        groups: 11,
        before,
        after,
        gain: after - before,
        gain_low: low,
        gain_high: high,
    };
    let gain = |name: &str, tracks, before, after, clips| GenreGain {
        genre: name.into(),
        tracks,
        before,
        after,
        after_low: after - 0.2,
        after_high: (after + 0.15).min(1.0),
        base_clips: clips,
        base_before: 0.61,
        base_after: 0.60,
    };
    let mix = |won: &[(&str, u32)]| Mix::new(won.iter().map(|(g, n)| (genre(g), *n)), 100, Source::Model);
    let change = |name: &str| retrain::Change {
        name: name.into(),
        mix: mix(&[("jazz", 71), ("blues", 19)]),
        before: Some(genre("jazz")),
        after: Some(genre("blues")),
        moved: 0.61,
    };
    Verdict {
        mine: paired(42, 0.612, 0.784, 0.061, 0.28),
        base: Some(paired(158, 0.538, 0.531, -0.021, 0.006)),
        genres: vec![
            gain("jazz", 12, 0.5, 0.83, 16),
            gain("blues", 20, 0.7, 0.75, 14),
            gain("zydeco", 10, 0.0, 0.7, 0),
        ],
        passes,
        reasons: vec!["your tracks gain, and the base loses no more than 2 points".into()],
        changed: 212,
        of: 9830,
        biggest: vec![change("So What · Miles Davis"), change("Summer 🌻 · 久石譲")],
        doubts: vec![retrain::Doubt {
            name: "Stay Clean · Motörhead".into(),
            said: "jazz".into(),
            heard: "metal".into(),
        }],
        new_genres: vec!["Zydeco".into()],
        document: "/home/listener/.local/share/deepcuts/models/reports/cuts-1.md".into(),
    }
}

#[test]
fn retraining_goes_on() {
    both("retrain_running", |ui| {
        ui.keys("T");
        ui.done(Done::Retrain(Box::new(News::Step("learning, fold 3 of 10".into(), 28, 100, Some(65)))));
        for run in 0..3 {
            for i in 0..10 {
                let x = f64::from(i);
                ui.done(Done::Retrain(Box::new(News::Point(run, (x * 20.0, 0.4 + 0.05 * x, 0.4 + 0.03 * x)))));
            }
        }
    });
}

#[test]
fn a_retrainings_report() {
    both("retrain_report", |ui| {
        ui.keys("T");
        ui.done(Done::Retrain(Box::new(News::Judged(Box::new(verdict(true))))));
    });
}

#[test]
fn a_retraining_that_the_gate_refuses_asks_twice() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("T");
    ui.done(Done::Retrain(Box::new(News::Judged(Box::new(verdict(false))))));
    ui.effects.clear();
    ui.keys("w");
    assert!(!ui.effects.iter().any(|e| matches!(e, Effect::Ask(Ask::AcceptRetrained))));
    insta::assert_snapshot!("retrain_refused", ui.screen());
    ui.keys("w");
    assert!(ui.effects.iter().any(|e| matches!(e, Effect::Ask(Ask::AcceptRetrained))));
}

#[test]
fn too_little_to_learn_from_says_how_much_more() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("T");
    let why = "8 more tracks, of 2 more artists: retraining needs 20 tracks of 5 artists";
    ui.done(Done::Retrain(Box::new(News::Refused(why.into()))));
    assert!(ui.screen().contains("8 more tracks"));
    // Closed, and opened again: it looks again.
    ui.effects.clear();
    ui.keys("Esc T");
    assert!(ui.effects.iter().any(|e| matches!(e, Effect::Ask(Ask::Retrain))));
}
