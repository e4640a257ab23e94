//! Every screen as it looks, at 80x24 and 140x40, from fixed answers of the workers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use deepcuts::{
    genre::{Genre, Taxonomy},
    store::{Correction, FileRow, Span},
    track::{FileStamp, FileTags, Mix, Source},
    tui::{
        app::{App, SettingsText},
        data::{Answer, Counts, Detail, DetailFile, FailureRow, Job, JobState, Row, Spec, Timeline},
        event::{Done, Effect, Event, Slot},
        keys,
        screens::{
            history::{Run, Written},
            tags::{Change, Preview},
        },
        theme::{Depth, Genres, Theme},
        view,
    },
};
use ratatui::{Terminal, backend::TestBackend};

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
        let lines = ["[library]", "roots = []", "*exclude = [\"Audiobooks/\"]", "", "[tags]", "policy = \"fill\""];
        let settings = SettingsText {
            path: "/home/listener/.config/deepcuts/config.toml".into(),
            lines: lines.map(str::to_owned).to_vec(),
        };
        let (app, effects) = App::new(Theme { depth }, settings);
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
    use ratatui::style::Color;
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
        ui.done(Done::Searches { history: vec!["blues".into(), "year:1959".into()], kept: vec!["mostly jazz".into()] });
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

#[test]
fn hostile_text_never_reaches_the_screen() {
    for depth in [Depth::Mono, Depth::True] {
        let mut ui = Ui::new(depth, 140, 40);
        for keys in ["", "l", "2", "5", "1 e", "Esc /"] {
            ui.keys(keys);
            ui.done(Done::Detail(Box::new(detail(&rows()[4]))));
            ui.screen();
            for cell in ui.terminal.backend().buffer().content() {
                assert!(cell.symbol().chars().all(deepcuts::text::is_showable), "{:?}", cell.symbol());
            }
        }
    }
}

#[test]
fn every_size_can_be_drawn() {
    for (width, height) in [(1, 1), (20, 6), (33, 9), (59, 12), (80, 24), (101, 30), (300, 90)] {
        let mut ui = Ui::new(Depth::Indexed, width, height);
        ui.done(Done::Detail(Box::new(detail(&rows()[5]))));
        for keys in ["", "l", "l l v l", "Esc 3 /", "Esc 5", "6", "1 e", "Esc W", "Esc H", "Esc ?", "Esc ,", "Esc :"] {
            ui.keys(keys);
            ui.screen();
        }
    }
}

#[test]
fn new_tracks_do_not_move_the_selection() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("j j j");
    let before = ui.app.selected().unwrap().file;
    let mut more = rows();
    more.push(row(99, "Abba", "Arrival", "Tiger", &[("pop", 50)], Source::Model));
    ui.done(Done::View(Slot::Library, Box::new(view::make(Spec::default(), more, None, &genres()))));
    assert_eq!(ui.app.selected().unwrap().file, before);
}

#[test]
fn an_idle_ui_wants_no_frame() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.screen();
    assert!(!ui.app.wants_frame());
    ui.keys("j");
    assert!(ui.app.wants_frame());
}
