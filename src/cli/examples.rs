//! What `--help` says at its end, and `-h` leaves out: examples that run as they stand, and what is worth knowing.
//! Paragraphs are one line each: the terminal breaks them where it ends.

pub(super) const TUI: &str = "\
Examples:
  deepcuts
  deepcuts tui --keys";

pub(super) const SCAN: &str = "\
Examples:
  deepcuts scan ~/Music
  deepcuts scan                         the library's roots
  deepcuts scan --failed
  deepcuts scan --retry-failed ~/Music

Exit 0: all good, 1: some files failed, 2: it could not run, 130: interrupted (what was heard is kept).";

pub(super) const WATCH: &str = "\
Examples:
  deepcuts watch ~/Music
  systemctl --user enable --now deepcuts   (see the README)";

pub(super) const SEARCH: &str = "\
Examples:
  deepcuts search mostly jazz with some blues
  deepcuts search 'starts classical, ends metal'
  deepcuts search 'jazz > 60% year:1955..1965 -live'
  deepcuts search 'no pop or rock' --format paths -0 | xargs -0 mpv
  deepcuts search --save dinner 'a lot of jazz, no metal' && deepcuts search @dinner

Words: pure, mostly, half, a lot of, some, a bit of, no; about 30% jazz; more jazz than blues; jazz:20..40; jazz in the \
first minute; starts with, ends with; and, or, ( ), \"quoted words\", word*.

Fields: artist: album: title: path: genre: year: length: bitrate: added: format: source: state: model: like:, \
name::regex; year- and artist+ to sort, limit:20.

Exit 0: hits, 1: none, 2: the query makes no sense.";

pub(super) const SIMILAR: &str = "\
Examples:
  deepcuts similar song.flac
  deepcuts similar a.mp3 b.mp3 --format m3u8 > mix.m3u8";

pub(super) const EXPORT: &str = "\
Examples:
  deepcuts export mostly jazz --output jazz.m3u8
  deepcuts export @dinner --format m3u8 --relative-to ~/Music > ~/Music/dinner.m3u8
  deepcuts export --format csv > library.csv";

pub(super) const SHOW: &str = "\
Examples:
  deepcuts show song.flac
  deepcuts show ~/Music/Album --format json";

pub(super) const CORRECT: &str = "\
Examples:
  deepcuts correct song.flac jazz=60 blues=40
  deepcuts correct song.flac --span 1:20-2:05 reggae
  deepcuts correct ~/Music/Fela\\ Kuti afrobeat
  deepcuts correct song.flac disco --like     and what sounds like it, after a look
  deepcuts correct song.flac --lock           it is right as it is
  deepcuts correct --list
  deepcuts correct --undo";

pub(super) const REVIEW: &str = "\
Examples:
  deepcuts review
  deepcuts review --limit 50 --format json";

pub(super) const GENRE: &str = "\
Examples:
  deepcuts genre list
  deepcuts genre rename hiphop 'Hip Hop'
  deepcuts genre merge disco pop
  deepcuts genre alias electronic 'trip hop'
  deepcuts genre undo

A new genre comes of a correction that names it.";

pub(super) const RETRAIN: &str = "\
Examples:
  deepcuts retrain --dry-run      learn, and see what would change
  deepcuts retrain                and put it in force, if you agree
  deepcuts models rollback        and back

It takes corrected tracks of several artists (20 of 5; `deepcuts review` lists those that teach most). A model that does \
not surely gain on corrections it has not seen, or that forgets what it knew, is not proposed; [retrain] in the settings \
says how sure and how much, --force says otherwise.";

pub(super) const TRAIN: &str = "\
Examples:
  deepcuts train ~/labelled                (GENRE/FILE inside)
  deepcuts train list.csv --arch cnn --front-end paper-128
  deepcuts train --library --name mine
  deepcuts train ~/labelled --resume       (after Ctrl-C, or a crash)";

pub(super) const EVAL: &str = "\
Examples:
  deepcuts eval cuts ~/labelled -o report
  deepcuts eval cuts,cnn features.safetensors -o report";

pub(super) const MODELS: &str = "\
Examples:
  deepcuts models list
  deepcuts models show cuts
  deepcuts models use cuts-1
  deepcuts models rollback
  deepcuts models eval --mine

Who listens: the model that was put in force last (by `retrain` or `use`), else [ears] model of the settings. Changing \
that setting afterwards wins over it.";

pub(super) const STATUS: &str = "\
Examples:
  deepcuts status
  deepcuts status --format json";

pub(super) const PRUNE: &str = "\
Examples:
  deepcuts prune --dry-run
  deepcuts prune --days 7";

pub(super) const BACKUP: &str = "\
Examples:
  deepcuts backup ~/library-backup.db";

pub(super) const RESTORE: &str = "\
Examples:
  deepcuts restore ~/library-backup.db";

pub(super) const TAG: &str = "\
Examples:
  deepcuts tag --dry-run                 what would be written, file by file
  deepcuts tag                           write it; the first time it shows what and asks
  deepcuts tag ~/Music/Album             only these files
  deepcuts tag --policy merge --yes      beside the genres that are there
  deepcuts tag --as navidrome,mpd        how other programs will show it; writes nothing
  deepcuts undo                          and back, byte for byte

Only the genre changes: audio and every other tag are compared before a file is replaced.";

pub(super) const UNDO: &str = "\
Examples:
  deepcuts undo                          the last run
  deepcuts undo --since 2d
  deepcuts undo --dry-run ~/Music/Album";

pub(super) const AUDIT: &str = "\
Each finding comes with what would be right. `--fix joined,spelling` writes that; `--fix audio` what was heard.

Examples:
  deepcuts audit
  deepcuts audit --fix number,joined,spelling --dry-run
  deepcuts audit --fix all ~/Music/Album";

pub(super) const HISTORY: &str = "\
Examples:
  deepcuts history
  deepcuts history 3                     the files of run 3";

pub(super) const DOCTOR: &str = "\
Examples:
  deepcuts doctor
  deepcuts doctor --format json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  deepcuts completions bash > ~/.local/share/bash-completion/completions/deepcuts
  deepcuts completions zsh > ~/.zfunc/_deepcuts";

pub(super) const MAN: &str = "\
Examples:
  deepcuts man | man -l -";
