"""A corpus of tagged music, and an independent reader of it.

make DIR FFMPEG   encode a few seconds in every container and encoder in reach, and put foreign items of every
                  kind beside the genre, with mutagen
dump DIR          print, as JSON, the genres of each file and a digest of everything else that mutagen reads
"""

import hashlib
import json
import os
import subprocess
import sys

import mutagen
from mutagen import aiff, apev2, flac, id3, mp3, mp4, oggopus, oggvorbis, wave, wavpack

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def encode(ffmpeg, directory):
    """(name without the mix, ending, arguments of ffmpeg)."""
    wanted = [
        ("cbr-v24", "mp3", ["-c:a", "libmp3lame", "-b:a", "128k", "-id3v2_version", "0"]),
        ("vbr-v23", "mp3", ["-c:a", "libmp3lame", "-q:a", "4", "-id3v2_version", "0"]),
        ("v1-ape-v24", "mp3", ["-c:a", "libmp3lame", "-b:a", "96k", "-id3v2_version", "0"]),
        ("v1-only", "mp3", ["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "0"]),
        ("ape-only", "mp3", ["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "0"]),
        ("by-ffmpeg", "mp3", ["-c:a", "libmp3lame", "-metadata", "title=T", "-metadata", "genre=Rock"]),
        ("untagged", "mp3", ["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "0", "-write_xing", "0"]),
        ("layer2", "mp3", ["-c:a", "mp2", "-f", "mp2"]),
        ("native", "flac", ["-c:a", "flac"]),
        ("with-id3", "flac", ["-c:a", "flac"]),
        ("tight", "flac", ["-c:a", "flac"]),
        ("lib", "ogg", ["-c:a", "libvorbis"]),
        ("picture", "ogg", ["-c:a", "libvorbis"]),
        ("own", "ogg", ["-c:a", "vorbis", "-strict", "-2"]),
        ("lib", "opus", ["-c:a", "libopus"]),
        ("picture", "opus", ["-c:a", "libopus", "-b:a", "48k"]),
        ("aac", "m4a", ["-c:a", "aac"]),
        ("faststart", "m4a", ["-c:a", "aac", "-movflags", "+faststart"]),
        ("alac", "m4a", ["-c:a", "alac"]),
        ("alac-faststart", "m4a", ["-c:a", "alac", "-movflags", "+faststart"]),
        ("chapters", "m4b", ["-c:a", "aac", "-movflags", "+faststart"]),
        ("untagged", "m4a", ["-c:a", "aac", "-map_metadata", "-1", "-fflags", "+bitexact"]),
        ("s16-info", "wav", ["-c:a", "pcm_s16le", "-metadata", "title=T", "-metadata", "artist=A"]),
        ("s24-id3", "wav", ["-c:a", "pcm_s24le", "-map_metadata", "-1", "-fflags", "+bitexact"]),
        ("f32-both", "wav", ["-c:a", "pcm_f32le", "-metadata", "title=T", "-metadata", "genre=Rock"]),
        ("bare", "wav", ["-c:a", "pcm_u8", "-ac", "1", "-map_metadata", "-1", "-fflags", "+bitexact"]),
        ("s16", "aiff", ["-c:a", "pcm_s16be"]),
        ("id3", "aiff", ["-c:a", "pcm_s24be"]),
        ("ape", "wv", ["-c:a", "wavpack"]),
        # Not written, and not harmed.
        ("refused", "aac", ["-c:a", "aac"]),
        ("refused", "mka", ["-c:a", "libopus"]),
        ("refused", "caf", ["-c:a", "alac"]),
        ("refused", "oga", ["-c:a", "flac"]),
        ("refused-fragmented", "mp4", ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"]),
    ]
    chapters = os.path.join(directory, "chapters.txt")
    with open(chapters, "w") as f:
        f.write(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
                "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2500\ntitle=Two\n")
    files = []
    for i, (name, ending, args) in enumerate(wanted):
        path = os.path.join(directory, f"jazz6-blues2-{name}.{ending}")
        source = ["-f", "lavfi", "-i", f"sine=frequency={220 + 17 * i}:sample_rate=44100:duration=2.5"]
        if name == "chapters":
            source += ["-i", chapters, "-map_metadata", "1"]
        channels = [] if "-ac" in args else ["-ac", "2"]
        subprocess.run([ffmpeg, "-v", "error", "-y", *source, *channels, *args, path], check=True)
        files.append((name, path))
    os.remove(chapters)
    return files


def frames():
    return [
        id3.TIT2(encoding=3, text="Tïtle"), id3.TPE1(encoding=3, text=["One", "Two"]),
        id3.TRCK(encoding=0, text="02/10"), id3.TDRC(encoding=0, text="1999-02-03"),
        id3.TXXX(encoding=3, desc="MusicBrainz Album Id", text="1234"), id3.TXXX(encoding=1, desc="x", text=["a", "b"]),
        id3.APIC(encoding=0, mime="image/png", type=3, desc="front", data=PICTURE),
        id3.GEOB(encoding=0, mime="a/b", filename="f", desc="d", data=b"\xff\xfb\x90\x00\xff\x00" * 9),
        id3.PRIV(owner="me", data=b"\xff\xe0\x00\xff"), id3.POPM(email="a@b", rating=196, count=7),
        id3.COMM(encoding=3, lang="eng", desc="", text="a comment"), id3.USLT(encoding=1, lang="deu", desc="", text="la"),
        id3.UFID(owner="http://musicbrainz.org", data=b"abc"), id3.WXXX(encoding=0, desc="", url="http://example.org"),
        id3.MCDI(data=b"\x01\x02"), id3.TCON(encoding=3, text=["Rock", "Polka"]),
    ]


def tag_id3(tags, version):
    for frame in frames():
        tags.add(frame)
    if version == 4:
        tags.add(id3.CTOC(element_id="toc", flags=3, child_element_ids=["c1"], sub_frames=[]))
        tags.add(id3.CHAP(element_id="c1", start_time=0, end_time=1000, start_offset=0xFFFFFFFF,
                          end_offset=0xFFFFFFFF, sub_frames=[id3.TIT2(encoding=3, text="chapter")]))
        tags.add(id3.RVA2(desc="track", channel=1, gain=-2, peak=0.5))
    else:
        tags.update_to_v23()


def tag_vorbis(tags):
    tags["title"] = "Tïtle"
    tags["artist"] = ["One", "Two"]
    tags["tracknumber"] = "02/10"
    tags["DISCOGS_LABEL"] = "label"
    tags["musicbrainz_trackid"] = "1234"
    tags["genre"] = ["Rock", "Polka"]


def picture():
    p = flac.Picture()
    p.data, p.type, p.mime = PICTURE, 3, "image/png"
    return p


def tag(name, path):
    ending = path.rsplit(".", 1)[1]
    if name.startswith("refused") or name in ("untagged", "bare", "by-ffmpeg", "s16", "s16-info"):
        return
    if ending == "mp3":
        if name not in ("v1-only", "ape-only"):
            version = 3 if "v23" in name else 4
            tags = id3.ID3()
            tag_id3(tags, version)
            tags.save(path, v1=2 if "v1" in name else 0, v2_version=version)
        if name == "v1-only":
            tags = id3.ID3()
            for frame in (id3.TIT2(0, ["Title"]), id3.TPE1(0, ["Artist"]), id3.TALB(0, ["Album"]), id3.TCON(0, ["Rock"]),
                          id3.TRCK(0, ["3"]), id3.TDRC(0, ["1999"])):
                tags.add(frame)
            tags.save(path, v1=2)
            id3.delete(path, delete_v1=False, delete_v2=True)
        if "ape" in name:
            tags = apev2.APEv2()
            tags["Title"], tags["Genre"], tags["Track"] = "Title", "Rock", "02/10"
            tags["Cover Art (Front)"] = apev2.APEValue(b"a.png\0" + PICTURE, apev2.BINARY)
            tags.save(path)
            if "v1" in name:  # APEv2 belongs in front of ID3v1.
                id3.ID3(path).save(path, v1=2)
    elif ending == "flac":
        f = flac.FLAC(path)
        tag_vorbis(f)
        f.add_picture(picture())
        f.save(padding=(lambda info: 0) if name == "tight" else (lambda info: 700))
        if name == "with-id3":
            tags = id3.ID3()
            tags.add(id3.TIT2(encoding=3, text="in front"))
            with open(path, "rb") as f:
                data = f.read()
            tags.save(path + ".id3")
            with open(path + ".id3", "rb") as f:
                head = f.read()
            os.remove(path + ".id3")
            with open(path, "wb") as f:
                f.write(head + data)
    elif ending in ("ogg", "opus"):
        f = (oggopus.OggOpus if ending == "opus" else oggvorbis.OggVorbis)(path)
        tag_vorbis(f)
        if name == "picture":
            import base64
            block = picture()
            block.data = PICTURE * 15
            f["metadata_block_picture"] = base64.b64encode(block.write()).decode()
        f.save()
    elif ending in ("m4a", "m4b"):
        f = mp4.MP4(path)
        if f.tags is None:
            f.add_tags()
        f["\xa9nam"], f["\xa9ART"], f["\xa9gen"] = ["Tïtle"], ["One", "Two"], ["Rock"]
        f["trkn"], f["disk"], f["cpil"], f["tmpo"] = [(2, 10)], [(1, 0)], True, [120]
        f["----:com.apple.iTunes:MusicBrainz Track Id"] = [mp4.MP4FreeForm(b"1234")]
        f["----:org.example:x"] = [mp4.MP4FreeForm(b"\0\1", dataformat=mp4.AtomDataType.IMPLICIT)]
        f["covr"] = [mp4.MP4Cover(PICTURE, imageformat=mp4.MP4Cover.FORMAT_PNG)]
        f["soar"] = ["sort"]
        f.save(padding=(lambda info: 0) if "faststart" in name else (lambda info: 300))
    elif ending in ("wav", "aiff"):
        f = (wave.WAVE if ending == "wav" else aiff.AIFF)(path)
        if f.tags is None:
            f.add_tags()
        tag_id3(f.tags, 4)
        f.save()
    elif ending == "wv":
        f = wavpack.WavPack(path)
        f["Title"], f["Genre"], f["Track"] = "Title", "Rock", "02/10"
        f["Cover Art (Front)"] = apev2.APEValue(b"a.png\0" + PICTURE, apev2.BINARY)
        f.save()


GENRE_KEYS = {"TCON", "genre", "GENRE", "Genre", "\xa9gen", "gnre"}


def values(value):
    if isinstance(value, id3.TCON):
        return list(value.genres)
    return [str(v) for v in (value if isinstance(value, (list, tuple)) else list(value))]


def read(path):
    ending = path.rsplit(".", 1)[1]
    ours, others = [], {}

    def add(prefix, tags):
        for key in sorted(tags.keys(), key=str):
            value = tags[key]
            if key in GENRE_KEYS:
                ours.append([prefix + key, values(value)])
            else:
                text = repr(value) if not isinstance(value, bytes) else value.hex()
                others[prefix + str(key)] = hashlib.sha256(text.encode()).hexdigest()[:16]

    if ending == "mp3":
        try:
            # v1 counts where there is no v2, as for most readers.
            tags = id3.ID3(path, translate=False)
            add("id3 ", tags)
        except id3.ID3NoHeaderError:
            pass
        try:
            add("ape ", apev2.APEv2(path))
        except apev2.APENoHeaderError:
            pass
    else:
        f = mutagen.File(path)
        if f is not None and f.tags is not None:
            add("", f.tags)
        if f is not None and ending == "flac":
            for i, block in enumerate(p for p in f.metadata_blocks if p.code not in (1, 4)):
                others[f"block {i} {block.code}"] = hashlib.sha256(block.write()).hexdigest()[:16]
        if f is not None and getattr(f, "chapters", None):
            others["chapters"] = repr([(c.start, c.title) for c in f.chapters])
    return {"genres": ours, "others": others}


def main():
    directory = sys.argv[2]
    if sys.argv[1] == "make":
        for name, path in encode(sys.argv[3], directory):
            tag(name, path)
    else:
        names = sorted(n for n in os.listdir(directory) if not n.startswith("."))
        print(json.dumps({n: read(os.path.join(directory, n)) for n in names}))


main()
