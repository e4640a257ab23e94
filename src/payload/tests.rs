#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The identity is the same for every tag layout, differs for other audio, and no bytes make a walker panic.

use proptest::prelude::*;

use super::{fixtures as fx, *};

fn payload(bytes: &[u8]) -> Result<Payload, PayloadError> {
    let bytes = bytes.to_vec();
    identify_source(&Source::new(&bytes).unwrap())
}

fn id(bytes: &[u8]) -> AudioId {
    payload(bytes).unwrap().id
}

#[test]
fn containers_are_told_by_content() {
    for (format, bytes) in fx::one_of_each() {
        let payload = payload(&bytes).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(payload.format, format);
        assert_eq!(payload.faults, [], "{format:?}");
    }
    for nothing in [&b""[..], b"just some text, named .mp3", &[0; 4000], b"\x89PNG\r\n\x1a\n", &[0xFF; 5000]] {
        assert!(matches!(payload(nothing), Err(PayloadError::Unknown)), "{nothing:?}");
    }
}

#[test]
fn tags_around_mpeg_audio_do_not_count() {
    let audio = fx::mpeg_frames(20, 1);
    let plain = id(&audio);
    let id3 = fx::id3v2(4, &[("TIT2", b"\x03Title")], 300);
    let ape = fx::ape(&[("Title", "x")], true);
    let v1 = fx::id3v1(17);
    for layout in [
        [&id3[..], &audio].concat(),
        [&id3[..], &id3, &audio].concat(),
        [&id3[..], &[0; 777], &audio].concat(),
        [&audio[..], &v1].concat(),
        [&audio[..], &ape, &v1].concat(),
        [&id3[..], &audio, &ape].concat(),
        [&ape[..], &audio].concat(),
        [&audio[..], b"LYRICSBEGININD0000200000021LYRICS200", &v1].concat(),
    ] {
        assert_eq!(id(&layout), plain);
    }
    assert_ne!(id(&fx::mpeg_frames(20, 2)), plain);
    assert_ne!(id(&fx::mpeg_frames(21, 1)), plain);
}

#[test]
fn letters_that_look_like_id3v1_inside_another_tag_are_none() {
    let audio = fx::mpeg_frames(12, 1);
    let v1 = fx::id3v1(9);
    for text in ["x".repeat(131 - 64 - 14), format!("{}TAG{}", "x".repeat(80), "x".repeat(128 - 32 - 3))] {
        let ape = fx::ape(&[("Title", &text)], true);
        let found = ape.windows(3).position(|w| w == b"TAG").map(|_| &ape[ape.len() - 128..ape.len() - 125]);
        assert_eq!(found, Some(&b"TAG"[..]), "the case itself");
        assert_eq!(id(&[&audio[..], &ape].concat()), id(&audio));
        assert_eq!(id(&[&audio[..], &ape, &v1].concat()), id(&audio));
    }
}

#[test]
fn flac_blocks_and_flanks_do_not_count() {
    let plain = id(&fx::flac(&[("TITLE", "a")], None));
    assert_eq!(id(&fx::flac(&[], Some(4000))), plain);
    let id3 = fx::id3v2(3, &[("TIT2", b"\0x")], 0);
    let flanked = [&id3[..], &fx::flac(&[("GENRE", "Jazz")], Some(1)), &fx::id3v1(3)].concat();
    assert_eq!(payload(&flanked).unwrap(), Payload { format: Format::Flac, id: plain, faults: vec![] });
    let whole = fx::flac(&[], None);
    assert_eq!(payload(&whole[..whole.len() - 1]).unwrap().faults, [Fault::AudioCutShort]);
    let headers_only = &whole[..whole.len() - fx::FLAC_FRAMES_BYTES];
    assert!(matches!(payload(headers_only), Err(PayloadError::NoAudio(_))));
}

#[test]
fn ogg_pages_and_comments_do_not_count() {
    let plain = id(&fx::vorbis(&[("TITLE", "a")], 10));
    let big = "x".repeat(200_000);
    assert_eq!(id(&fx::vorbis(&[("TITLE", "b"), ("COMMENT", &big)], 10)), plain);
    assert_ne!(id(&fx::vorbis(&[("TITLE", "a")], 11)), plain);
    let mut junk = fx::vorbis(&[("TITLE", "a")], 10);
    let page = junk.windows(4).rposition(|w| w == b"OggS").unwrap();
    junk.splice(page..page, *b"stray bytes");
    let payload = payload(&junk).unwrap();
    assert_eq!((payload.id, payload.faults), (plain, vec![Fault::JunkBetweenPages]));
}

#[test]
fn where_mp4_samples_lie_does_not_count() {
    let back = id(&fx::mp4(false, &[("Jazz", 1)], 0));
    assert_eq!(id(&fx::mp4(true, &[], 500)), back);
    assert_eq!(payload(&fx::mp4_fragmented()).unwrap().faults, [Fault::Fragmented]);
}

#[test]
fn declared_sizes_are_checked_against_the_file() {
    let id3 = b"ID3\x04\0\0\x7f\x7f\x7f\x7f";
    assert!(matches!(payload(id3), Err(PayloadError::Truncated { what: "ID3v2 tag", .. })));
    let atom = b"\0\0\0\x08ftyp\0\0\0\x01moov\x7f\xff\xff\xff\xff\xff\xff\xff";
    assert!(matches!(payload(atom), Err(PayloadError::Truncated { what: "MP4 atom", .. })));
    let picture = [&b"fLaC\0\0\0\x22"[..], &[0; 34], b"\x86\xff\xff\xff"].concat();
    assert!(matches!(payload(&picture), Err(PayloadError::Truncated { what: "FLAC metadata block", .. })));
    let mut wav = fx::wav(100, &[]);
    let data = wav.windows(4).position(|w| w == b"data").unwrap();
    wav[data + 4..data + 8].copy_from_slice(&[0xF0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(payload(&wav).unwrap().faults, [Fault::AudioCutShort]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutations_never_panic(which in 0..fx::one_of_each().len(), edits in prop::collection::vec((any::<u16>(), any::<u8>()), 1..12), cut in any::<u16>()) {
        let (_, mut bytes) = fx::one_of_each().swap_remove(which);
        let size = bytes.len();
        for (at, value) in edits {
            bytes[usize::from(at) % size.min(600)] = value;
        }
        let _ = payload(&bytes);
        bytes.truncate(usize::from(cut) % size);
        let _ = payload(&bytes);
    }
}
