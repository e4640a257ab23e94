//! How long after a key its frame is there, over 100,000 tracks, while the library changes under it. The floor is a
//! frame of plain text of the same size, in the same run; the promise is a p99 of 50 ms at most.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deepcuts::{
    genre::{Genre, Taxonomy},
    store::FileRow,
    track::{FileStamp, FileTags, Mix, Source},
    tui::{
        app::{App, SettingsText},
        data::{Counts, Job, JobState, Row, Sort, Spec},
        event::{Done, Event, Slot},
        keys,
        screens::{
            map::{Point, Points},
            review::{Item, Lessons, Queue},
        },
        theme::{Depth, Genres, Theme},
        view,
    },
};
use ratatui::{Terminal, backend::TestBackend, widgets::Paragraph};

const TRACKS: i64 = 100_000;
const GENRES: [&str; 10] =
    ["Blues", "Classical", "Country", "Disco", "Hip-Hop", "Jazz", "Metal", "Pop", "Reggae", "Rock"];

fn row(id: i64) -> Arc<Row> {
    let n = id as usize;
    let tags = FileTags {
        title: Some(format!("Title {}", n * 7919 % 100_003)),
        artist: Some(format!("Artist {}", n * 104_729 % 4_001)),
        album: Some(format!("Album {}", n / 12)),
        track_no: Some((n % 12) as u32),
        ..FileTags::default()
    };
    let file = FileRow {
        id,
        track: id,
        path: format!("/music/{}/{n}.flac", n / 12).into(),
        stamp: FileStamp { dev: 1, ino: 1, size: 1, mtime_ns: 0, ctime_ns: 0 },
        format: "flac".into(),
        present: true,
        tags,
        written_genres: None,
        duration_ms: Some(200_000),
    };
    let won = [(n % 10, 50), ((n + 3) % 10, 30)].map(|(g, won)| (Genre::new(GENRES[g]).unwrap(), won));
    Arc::new(Row::of(file, Mix::new(won, 100, Source::Model)))
}

fn main() {
    let mut taxonomy = Taxonomy::default();
    for name in GENRES {
        taxonomy.add(name);
    }
    let genres = Genres::of(&taxonomy);
    let rows: Vec<Arc<Row>> = (0..TRACKS).map(row).collect();
    let (mut app, _) = App::new(Theme::new(Depth::True), SettingsText::default());
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    app.update(Event::Done(Done::Genres(Arc::new(genres.clone()))));
    let counts = Counts { files: TRACKS as usize, heard: 0, corrected: 0, failed: 0, loading: false };
    app.update(Event::Done(Done::Counts(counts)));
    let by_artist = view::make(Spec::default(), rows, None, &genres);
    let sorted = by_artist.rows.clone();
    app.update(Event::Done(Done::View(Slot::Library, Box::new(by_artist))));

    // The map has every track as a point, and the review is open now and then.
    let points = sorted.iter().enumerate().map(|(i, row)| {
        let (angle, far) = (i as f32 * 2.399, (i as f32 / TRACKS as f32).sqrt());
        Point { row: Arc::clone(row), x: angle.cos() * far, y: angle.sin() * far }
    });
    app.update(Event::Done(Done::Map(Box::new(Points { points: points.collect(), shown: 0.5 }))));
    let item = |row: &Arc<Row>| Item {
        row: Arc::clone(row),
        reason: "unsure of 40 % of it; 12 tracks sound like it".into(),
        short: "unsure of 40 %".into(),
        alike: 12,
    };
    let items = sorted.iter().take(100).map(item).collect();
    app.update(Event::Done(Done::Review(Box::new(Queue { items, lessons: Lessons::default() }))));

    let script =
        "j j j C-d C-d C-f k k C-u Space Space l h h j j l g g G C-b 5 j 1 3 1 ? j Esc e 6 1 Right Esc n N 7 l j + n n - 4 j j 1".split(' ');
    let mut took = Vec::new();
    let mut late = Duration::ZERO;
    for (i, key) in script.cycle().take(600).enumerate() {
        // What a scan sends meanwhile: numbers four times a second, a whole new view twice.
        if i % 5 == 0 {
            let job = Job {
                title: "Listening".into(),
                state: JobState::Running,
                done: i as u64,
                total: TRACKS as u64,
                looking: true,
                rate: 20.0,
                failed: 0,
                current: "/music/1.flac".into(),
                said: String::new(),
            };
            app.update(Event::Done(Done::Job(job)));
        }
        let fresh = (i % 10 == 0).then(|| {
            let mut again = view::make(Spec { sort: Sort::Closeness, ..Spec::default() }, Vec::new(), None, &genres);
            again.rows = sorted.clone();
            again.files = sorted.iter().map(|row| row.file).collect();
            again.total = sorted.len();
            Box::new(again)
        });
        let mut effects = Vec::new();
        let started = Instant::now();
        if let Some(view) = fresh {
            effects.extend(app.update(Event::Done(Done::View(Slot::Library, view))));
        }
        app.update(Event::Key(keys::parse(key).unwrap()));
        terminal.draw(|frame| app.draw(frame)).unwrap();
        took.push(started.elapsed());
        late = late.max(started.elapsed());
        // The workers' part.
        drop(effects);
    }
    let (median, p99) = spread(&mut took);
    let mut bare: Vec<Duration> = (0..600).map(|i| plain(&mut terminal, i)).collect();
    let (floor, floor_p99) = spread(&mut bare);
    println!("key to frame over {TRACKS} tracks at 200x60: median {median:.1?}, p99 {p99:.1?}, latest {late:.1?}");
    println!("a frame of plain text:                       median {floor:.1?}, p99 {floor_p99:.1?}");
    println!("ratio of the medians {:.1}", median.as_secs_f64() / floor.as_secs_f64());
    println!("p99 within 50 ms: {}", if p99 <= Duration::from_millis(50) { "yes" } else { "NO" });
}

/// The median and the 99th percentile.
fn spread(took: &mut [Duration]) -> (Duration, Duration) {
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// A frame in which every cell is text, other text each time.
fn plain(terminal: &mut Terminal<TestBackend>, n: usize) -> Duration {
    let lines: Vec<String> = (0..60).map(|y| format!("{:>1$}", n * 7919 + y, 200)).collect();
    let text = lines.join("\n");
    let started = Instant::now();
    terminal.draw(|frame| frame.render_widget(Paragraph::new(text), frame.area())).unwrap();
    started.elapsed()
}
