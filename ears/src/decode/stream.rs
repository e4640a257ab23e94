//! One file's audio track, packet by packet.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, CODEC_ID_NULL_AUDIO,
            well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_PCM_S16LE},
        },
        registry::CodecRegistry,
    },
    common::Limit,
    errors::Error,
    formats::{FormatOptions, FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
    packet::Packet,
};

use super::{
    DecodeError, aac, downmix,
    error::{io_error, words},
    gate, mp4,
    source::{Watch, WatchedFile},
};

/// A file that gives no packet for this long has stalled, however long it is.
const STALL: Duration = Duration::from_secs(10);

/// Pictures in tags are skipped above this: nobody here looks at them.
const MAX_PICTURE_BYTES: usize = 1 << 20;

/// Rates that music has; beyond, a header lies.
const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=768_000;

/// Bad packets in a row that end a file.
const MAX_BAD_IN_A_ROW: u64 = 1_000;

/// A file is damaged when more than one packet in so many does not decode (and at least a few do not).
const BAD_ONE_IN: u64 = 10;
const BAD_ALLOWED: u64 = 3;

/// Truncated is what ends before this share of what was declared, and by more than a few seconds: demuxers
/// lose a page at odd places of sound files. Less than half is truncated however short it is.
const WHOLE_SHARE: f64 = 0.9;
const LOST_ALLOWED_S: f64 = 3.0;
const HALF_SHARE: f64 = 0.5;

/// A declared length beyond this (100 days) is a placeholder.
const LONGEST_S: u64 = 100 * 24 * 3600;

/// The shortest sound that is judged: about one analysis window.
const SHORTEST_MS: u64 = 100;

/// More than one sample in so many that is NaN or infinite means that this is no sound.
const NOT_FINITE_ONE_IN: u64 = 100;

/// What a file turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Samples a second of the windows.
    pub sample_rate_hz: u32,
    /// Channels in the file, before they are mixed.
    pub channels: u16,
    /// Name of the codec: `mp3`, `flac`, `vorbis`, `opus`, `aac`, `alac`, `pcm`, ...
    pub codec: String,
}

/// Decodes the first audio track of a file to mono windows.
pub struct Decoder {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    watch: Arc<Watch>,
    file_bytes: u64,
    track_id: u32,
    codec: AudioCodecId,
    format: Format,
    declared_frames: Option<u64>,
    /// Encoder delay that is still to be dropped.
    delay_frames: u64,
    sbr: Option<aac::SbrProbe>,
    dts_syncs: u32,
    /// What the decoder of an MPEG stream takes, and what the packet before was.
    mpeg: (Option<MpegKind>, Option<MpegKind>),
    decoded_frames: u64,
    decoded_s: f64,
    packets: u64,
    bad: u64,
    bad_in_a_row: u64,
    not_finite: u64,
    last_failure: String,
    planes: Vec<Vec<f32>>,
}

impl Decoder {
    /// Open `path` and find its audio track.
    ///
    /// # Errors
    /// When it cannot be read, holds nothing that is known, or something that is known not to be decodable.
    pub fn open(path: &Path) -> Result<Self, DecodeError> {
        Self::open_with(path, STALL)
    }

    fn open_with(path: &Path, stall: Duration) -> Result<Self, DecodeError> {
        // Before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(DecodeError::Refused("no regular file"));
        }
        let mut file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        gate::check(&mut file, file_bytes)?;
        let protected = mp4::is_protected(&mut file, file_bytes);
        let watch = Watch::new(stall);
        let source = WatchedFile::new(file, file_bytes, Arc::clone(&watch))?;
        let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
        let meta_options = MetadataOptions::default().limit_visual_bytes(Limit::Maximum(MAX_PICTURE_BYTES));
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), meta_options)
            .map_err(|error| match error {
                _ if watch.stalled() => DecodeError::Stalled(stall),
                _ if protected => DecodeError::Protected,
                Error::IoError(error) => io_error(error),
                Error::Unsupported(what) if what.contains("no suitable format") => DecodeError::Unrecognised,
                error => DecodeError::Headers(words(&error)),
            })?;
        let track = select(reader.as_ref(), protected)?;
        watch.progress();
        Ok(Self {
            reader,
            decoder: track.decoder,
            watch,
            file_bytes,
            track_id: track.id,
            codec: track.codec,
            format: track.format,
            declared_frames: track.declared_frames,
            delay_frames: track.delay_frames,
            sbr: track.sbr,
            dts_syncs: 0,
            mpeg: (None, None),
            decoded_frames: 0,
            decoded_s: 0.0,
            packets: 0,
            bad: 0,
            bad_in_a_row: 0,
            not_finite: 0,
            last_failure: String::new(),
            planes: Vec::new(),
        })
    }

    /// What the file holds. Rate and channels are certain once the first window has come.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// How much came out so far, milliseconds.
    #[must_use]
    pub fn decoded_ms(&self) -> u64 {
        (self.decoded_s * 1000.0) as u64
    }

    /// Replace `window` by the next samples. `Ok(false)` at the end, when all that was declared has come.
    ///
    /// # Errors
    /// When the file stalls, breaks, ends far too early, or turns out to be something else.
    pub fn next_window(&mut self, window: &mut Vec<f32>) -> Result<bool, DecodeError> {
        window.clear();
        // However long the caller was away, waiting for the network or stopped by the listener: the file did not stall.
        self.watch.progress();
        loop {
            if self.watch.stalled() {
                return Err(DecodeError::Stalled(self.watch.limit()));
            }
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(None).map(|()| false),
                Err(_) if self.watch.stalled() => return Err(DecodeError::Stalled(self.watch.limit())),
                Err(Error::ResetRequired) => {
                    let track = select(self.reader.as_ref(), false)?;
                    self.decoder = track.decoder;
                    self.track_id = track.id;
                    self.codec = track.codec;
                    continue;
                }
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return self.end(Some("the file ends inside a packet".to_owned())).map(|()| false);
                }
                Err(Error::IoError(error)) => return Err(io_error(error)),
                Err(error) => return self.end(Some(words(&error))).map(|()| false),
            };
            if packet.track_id != self.track_id {
                continue;
            }
            self.packets += 1;
            self.inspect(&packet)?;
            self.follow(&packet)?;
            if self.decode(&packet, window)? {
                self.watch.progress();
                return Ok(true);
            }
        }
    }

    /// Refuse streams that would decode to something else than what is in them.
    fn inspect(&mut self, packet: &Packet) -> Result<(), DecodeError> {
        if let Some(probe) = &mut self.sbr
            && let Some(found) = probe.see(&packet.data)
        {
            self.sbr = None;
            if found {
                return Err(DecodeError::HalfRate);
            }
        }
        if self.codec == CODEC_ID_PCM_S16LE && self.packets <= 8 {
            self.dts_syncs += dts_syncs(&packet.data);
            if self.dts_syncs >= 3 {
                return Err(DecodeError::Refused("a DTS stream in a WAV, which cannot be decoded here"));
            }
        }
        Ok(())
    }

    /// Joined MPEG streams change their rate and channels, and the decoder takes only those it began with: a new one
    /// goes on. A single packet that differs may be noise.
    fn follow(&mut self, packet: &Packet) -> Result<(), DecodeError> {
        if !is_mpeg(self.codec) {
            return Ok(());
        }
        let kind = mpeg_kind(&packet.data);
        let (taken, before) = self.mpeg;
        if taken.is_some() && kind != taken && kind == before {
            self.decoder = select(self.reader.as_ref(), false)?.decoder;
            self.mpeg.0 = kind;
        }
        self.mpeg = (self.mpeg.0.or(kind), kind);
        Ok(())
    }

    /// Append what `packet` holds. `Ok(false)` when nothing came of it.
    fn decode(&mut self, packet: &Packet, window: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let buffer = match self.decoder.decode(packet) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.last_failure = words(&error);
                self.bad += 1;
                self.bad_in_a_row += 1;
                return if self.bad_in_a_row >= MAX_BAD_IN_A_ROW { Err(self.damaged()) } else { Ok(false) };
            }
        };
        self.bad_in_a_row = 0;
        let frames = buffer.frames();
        if frames == 0 {
            return Ok(false);
        }
        let rate = buffer.spec().rate();
        if !RATES_HZ.contains(&rate) {
            return Err(DecodeError::Rate(rate));
        }
        self.format.sample_rate_hz = rate;
        self.format.channels = u16::try_from(buffer.num_planes()).unwrap_or(u16::MAX);
        self.not_finite += downmix::append(&buffer, &mut self.planes, window) as u64;
        if self.delay_frames > 0 {
            let drop = (window.len() as u64).min(self.delay_frames) as usize;
            window.drain(..drop);
            self.delay_frames -= drop as u64;
        }
        self.decoded_frames += window.len() as u64;
        self.decoded_s += window.len() as f64 / f64::from(rate);
        Ok(!window.is_empty())
    }

    /// Hold what came out against what was declared.
    fn end(&self, reason: Option<String>) -> Result<(), DecodeError> {
        if self.bad > BAD_ALLOWED && self.bad * BAD_ONE_IN > self.packets {
            return Err(self.damaged());
        }
        if self.sbr.as_ref().is_some_and(aac::SbrProbe::at_end) {
            return Err(DecodeError::HalfRate);
        }
        if let Some(declared) = self.declared_frames {
            let declared_s = declared as f64 / f64::from(self.format.sample_rate_hz.max(1));
            let share = self.decoded_frames as f64 / declared as f64;
            if share < HALF_SHARE || (share < WHOLE_SHARE && declared_s - self.decoded_s > LOST_ALLOWED_S) {
                return Err(DecodeError::Truncated { decoded_s: self.decoded_s, declared_s, reason });
            }
        }
        if self.decoded_frames == 0 {
            return Err(DecodeError::NoSamples);
        }
        let read_percent = (self.watch.place() * 100).checked_div(self.file_bytes).unwrap_or(0);
        if let (Some(reason), None) = (reason, self.declared_frames)
            && (read_percent as f64) < WHOLE_SHARE * 100.0
        {
            return Err(DecodeError::Broken { decoded_s: self.decoded_s, read_percent, reason });
        }
        if self.not_finite * NOT_FINITE_ONE_IN > self.decoded_frames {
            return Err(DecodeError::NotFinite { bad: self.not_finite, samples: self.decoded_frames });
        }
        if self.decoded_ms() < SHORTEST_MS {
            return Err(DecodeError::TooShort(self.decoded_ms()));
        }
        Ok(())
    }

    fn damaged(&self) -> DecodeError {
        DecodeError::Damaged { bad: self.bad, packets: self.packets, reason: self.last_failure.clone() }
    }
}

struct Selected {
    id: u32,
    codec: AudioCodecId,
    format: Format,
    decoder: Box<dyn AudioDecoder>,
    declared_frames: Option<u64>,
    delay_frames: u64,
    sbr: Option<aac::SbrProbe>,
}

fn select(reader: &dyn FormatReader, protected: bool) -> Result<Selected, DecodeError> {
    let none = || if protected { DecodeError::Protected } else { DecodeError::NoTrack };
    let can_be_decoded = |track: &&Track| {
        let params = track.codec_params.as_ref().and_then(CodecParameters::audio);
        params.is_some_and(|params| codecs().get_audio_decoder(params.codec).is_some())
    };
    let track = (reader.tracks().iter().find(can_be_decoded))
        .or_else(|| reader.first_track_known_codec(TrackType::Audio))
        .or_else(|| reader.default_track(TrackType::Audio))
        .ok_or_else(none)?;
    let Some(CodecParameters::Audio(params)) = &track.codec_params else { return Err(none()) };
    if params.codec == CODEC_ID_NULL_AUDIO {
        return Err(DecodeError::Codec("its name is not known".to_owned()));
    }
    let mut sbr = None;
    if params.codec == CODEC_ID_AAC {
        if params.extra_data.as_deref().is_some_and(aac::announces_sbr) {
            return Err(DecodeError::HalfRate);
        }
        sbr = params.sample_rate.and_then(aac::SbrProbe::for_core);
    }
    // Without an encoder's own figures an MPEG stream's length is a guess from its first frames, and the
    // demuxer would trim what lies behind it: so no trimming there, and the delay is dropped by hand.
    let is_mpeg = is_mpeg(params.codec);
    let options = AudioDecoderOptions::default().gapless(!is_mpeg);
    let decoder = codecs().make_audio_decoder(params, &options).map_err(|error| DecodeError::Codec(words(&error)))?;
    let rate = params.sample_rate.unwrap_or(0);
    let codec = decoder.codec_info().short_name;
    let declared = if is_mpeg && track.delay.is_none() { None } else { declared_frames(reader, track, params) };
    Ok(Selected {
        id: track.id,
        codec: params.codec,
        format: Format {
            sample_rate_hz: rate,
            channels: params.channels.as_ref().map_or(0, |c| u16::try_from(c.count()).unwrap_or(u16::MAX)),
            codec: if codec.starts_with("pcm") { "pcm" } else { codec }.to_owned(),
        },
        decoder,
        declared_frames: declared,
        delay_frames: if is_mpeg { u64::from(track.delay.unwrap_or(0)) } else { 0 },
        sbr,
    })
}

/// Frames that the container says there are, at the codec's own rate; `None` where it does not say, or says
/// what writers to a pipe say.
fn declared_frames(reader: &dyn FormatReader, track: &Track, params: &AudioCodecParameters) -> Option<u64> {
    let (whole, is_alone) = (reader.media_info(), reader.tracks().len() == 1);
    let rate = u64::from(params.sample_rate?);
    // A fragmented MP4 that does not know its length fills the field with ones.
    let is_known = |ticks: u64| ticks != u64::MAX && ticks != u64::from(u32::MAX);
    let by_time = || {
        let duration = track.duration.filter(|duration| is_known(duration.get()))?;
        let seconds = track.time_base?.calc_duration(duration)?.as_secs_f64();
        Some((seconds * rate as f64) as u64)
    };
    // Matroska knows how long the whole is, and not its tracks: pictures may be longer than the sound.
    let by_whole = || {
        let duration = whole.duration.filter(|duration| is_known(duration.get()))?;
        let seconds = whole.time_base?.calc_duration(duration)?.as_secs_f64();
        is_alone.then_some((seconds * rate as f64) as u64)
    };
    let frames = track.num_frames.filter(|&frames| is_known(frames)).or_else(by_time).or_else(by_whole)?;
    if frames == 0 || frames / rate.max(1) > LONGEST_S {
        return None;
    }
    let bits = u64::from(params.bits_per_sample.unwrap_or(0));
    let channels = params.channels.as_ref().map_or(1, |channels| channels.count() as u64);
    // A RIFF writer that cannot seek leaves the largest size there is, or half of it.
    let is_placeholder = bits > 0 && frames.saturating_mul(bits / 8 * channels) >= 0x7fff_0000 && is_pcm(params.codec);
    (!is_placeholder).then_some(frames)
}

fn is_mpeg(codec: AudioCodecId) -> bool {
    matches!(codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3)
}

/// Version, index of the sample rate, and whether it is mono.
type MpegKind = (u8, u8, bool);

fn mpeg_kind(frame: &[u8]) -> Option<MpegKind> {
    let &[_, version, rate, mode, ..] = frame else { return None };
    Some((version >> 3 & 3, rate >> 2 & 3, mode >> 6 == 3))
}

fn is_pcm(codec: AudioCodecId) -> bool {
    codecs().get_audio_decoder(codec).is_some_and(|known| known.codec.info.short_name.starts_with("pcm"))
}

/// DTS sync words, in the two byte orders and both widths that CDs carry.
fn dts_syncs(data: &[u8]) -> u32 {
    let found = |w: &[u8]| {
        matches!(
            w,
            [0x7f, 0xfe, 0x80, 0x01] | [0xfe, 0x7f, 0x01, 0x80] | [0x1f, 0xff, 0xe8, 0x00] | [0xff, 0x1f, 0x00, 0xe8]
        )
    };
    data.windows(4).filter(|w| found(w)).count() as u32
}

fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        codecs
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_read_that_no_packet_comes_of_for_too_long_fails_and_a_caller_who_takes_longer_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        (0..80_000_i32).for_each(|i| writer.write_sample((i % 1000) as i16).unwrap());
        writer.finalize().unwrap();

        let mut decoder = Decoder::open_with(&path, Duration::from_millis(200)).unwrap();
        let mut window = Vec::new();
        assert!(decoder.next_window(&mut window).unwrap());
        // The network has a queue before it, and the listener may stop all of it for a while.
        std::thread::sleep(Duration::from_millis(300));
        assert!(decoder.next_window(&mut window).unwrap());
        // A demuxer that never comes back to its caller still reads, and reading fails.
        std::thread::sleep(Duration::from_millis(300));
        let mut inner = decoder.reader.into_inner();
        let mut buffer = vec![0; 1 << 20];
        let error = std::io::Read::read_exact(&mut inner, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}
