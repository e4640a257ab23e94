//! What holds whatever the screen: themes, sizes and hostile text, and what keys may not do.

use super::*;

#[test]
fn every_theme_draws_every_screen_and_mono_has_no_colour() {
    for name in deepcuts::config::THEMES {
        for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
            let mut ui = Ui::themed(Theme::named(name, depth), 100, 30);
            models(&mut ui);
            ui.done(Done::Review(Box::new(queue())));
            ui.done(Done::Map(Box::new(points())));
            for keys in ["1", "4", "6", "v", "v", "7", "1 e", "Esc T", "Esc ?"] {
                ui.keys(keys);
                ui.screen();
                let rich = |c: Color| match depth {
                    Depth::Sixteen => matches!(c, Color::Rgb(..) | Color::Indexed(_)),
                    Depth::Indexed => matches!(c, Color::Rgb(..)),
                    _ => false,
                };
                let buffer = ui.terminal.backend().buffer();
                let bad = buffer.content().iter().find(|c| rich(c.fg) || rich(c.bg));
                assert_eq!(bad, None, "{name} at {depth:?} after {keys}");
            }
        }
    }
}

#[test]
fn keys_of_the_settings_are_obeyed_and_shown() {
    let keys: std::collections::BTreeMap<String, KeySetting> =
        toml::from_str("correct = \"c\"\ntags = { apply = \"C-w\" }").unwrap();
    let mut ui = Ui::new(Depth::True, 100, 30);
    ui.app = ui.app.with_keys(Keys::changed(&keys).unwrap());
    assert!(ui.screen().contains("c correct"));
    ui.keys("e");
    assert!(!ui.screen().contains("Correct ─"), "{}", ui.screen());
    ui.keys("c");
    assert!(ui.screen().contains(" Correct ─"), "{}", ui.screen());
}

#[test]
fn hostile_text_never_reaches_the_screen() {
    for depth in [Depth::Mono, Depth::True] {
        let mut ui = Ui::new(depth, 140, 40);
        ui.done(Done::Review(Box::new(queue())));
        ui.done(Done::Map(Box::new(points())));
        for keys in ["", "l", "2", "5", "1 e", "Esc /", "Esc 4", "7"] {
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
        models(&mut ui);
        ui.done(Done::Review(Box::new(queue())));
        ui.done(Done::Map(Box::new(points())));
        ui.done(Done::Retrain(Box::new(News::Judged(Box::new(verdict(true))))));
        for keys in ["v", "v", "1", "l", "l l v l", "Esc 3 /", "Esc 5", "6", "1 e", "6 1 Tab Tab", "Esc W", "Esc H"] {
            ui.keys(keys);
            ui.screen();
        }
        for keys in ["Esc ?", "Esc ,", "Esc :", "Esc 4 j", "7 l - + +", "j j k n n", "T j", "Esc"] {
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

/// A preview of one file that would change.
fn one_change() -> Preview {
    let change = Change {
        file: 1,
        path: "/music/So What.flac".into(),
        from: Vec::new(),
        to: vec!["Jazz".into()],
        notes: Vec::new(),
        bytes: 1,
    };
    Preview { changes: vec![change], policy: "fill".into(), ..Preview::default() }
}

#[test]
fn a_write_of_tags_can_be_given_up() {
    for key in ["Esc", "q", "C-c"] {
        let mut ui = Ui::new(Depth::True, 80, 24);
        ui.keys("W");
        ui.done(Done::TagPreview(Box::new(one_change())));
        ui.keys("w w");
        assert!(matches!(ui.effects.last(), Some(Effect::Ask(Ask::WriteTags(_)))));
        ui.keys(key);
        assert!(matches!(ui.effects.last(), Some(Effect::Ask(Ask::LeaveTags))), "{key}: {:?}", ui.effects.last());
        assert!(!ui.screen().contains("What would be written"), "{key}");
    }
}

/// The parts of the corrections that were asked for.
fn parts(ui: &Ui) -> Vec<(i64, Option<Span>)> {
    let said = ui.effects.iter().filter_map(|e| match e {
        Effect::Ask(Ask::Correct(new)) => Some(new),
        _ => None,
    });
    said.flatten().map(|(c, _)| (c.track, c.span)).collect()
}

#[test]
fn a_part_is_of_the_track_in_which_it_was_chosen() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("j j");
    let row = ui.app.selected().unwrap().clone();
    ui.keys("l");
    ui.done(Done::Detail(Box::new(detail(&row))));
    ui.keys("v l l e 1 Enter");
    let said = parts(&ui);
    assert!(said.len() == 1 && said[0].1.is_some(), "{said:?}");
    // The next track's detail is still on its way when it is corrected, or the same is said of it.
    ui.keys("v l l J");
    let next = ui.app.selected().unwrap().track;
    ui.keys("e 1 Enter .");
    assert_eq!(parts(&ui)[1..], [(next, None), (next, None)]);
}

#[test]
fn keys_mean_no_track_before_anything_is_searched() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("e 1 Enter / j Backspace");
    ui.done(Done::View(Slot::Search, Box::new(view::make(Spec::default(), rows(), None, &genres()))));
    ui.keys("Esc");
    assert_eq!(ui.app.selected(), None);
    ui.keys(". Space a");
    assert_eq!(parts(&ui).len(), 1, "a track that nobody sees was corrected");
    assert!(!ui.screen().contains("marked"), "{}", ui.screen());
}

#[test]
fn a_search_that_makes_no_sense_is_not_kept() {
    let mut ui = Ui::new(Depth::True, 80, 24);
    ui.keys("/ j a z z Space >");
    let answer = Answer { error: Some(("a number is missing after >".into(), 5, 6)), ..Answer::default() };
    let spec = Spec { query: "jazz >".into(), ..Spec::default() };
    ui.done(Done::View(Slot::Search, Box::new(view::make(spec, Vec::new(), Some(answer), &genres()))));
    ui.keys("Esc +");
    assert!(!ui.effects.iter().any(|e| matches!(e, Effect::Ask(Ask::SaveSearch(..)))));
    assert_eq!(ui.app.said().map(|said| said.tone), Some(Tone::Note));
}
