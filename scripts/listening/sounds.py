"""Sounds that are no music: made from numbers, the same ones every time, half a minute each; and texts to be spoken."""

import wave

import numpy as np

RATE_HZ = 44_100
SECONDS = 30
N = RATE_HZ * SECONDS
T = np.arange(N) / RATE_HZ


def write(path, samples, rate=RATE_HZ):
    """A WAV of one channel and 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def level(samples, peak_db=-6):
    """So loud at its peak."""
    return samples / np.abs(samples).max() * 10 ** (peak_db / 20)


def coloured(rng, slope, low=0.0, high=np.inf):
    """Noise whose amplitude falls with frequency to the power of `slope`, between two frequencies."""
    spectrum = np.fft.rfft(rng.standard_normal(N))
    hz = np.fft.rfftfreq(N, 1 / RATE_HZ)
    spectrum *= np.maximum(hz, 20.0) ** -slope * ((hz >= low) & (hz <= high))
    return np.fft.irfft(spectrum, N)


def tone(*hz):
    return sum(np.sin(2 * np.pi * f * T) for f in hz)


def swept(hz):
    """A sine whose frequency at every sample is given."""
    return np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)


def struck(times, hits):
    """Short sounds at these times, the first of `hits` at the first, and so on around."""
    out = np.zeros(N + RATE_HZ)
    for i, at in enumerate(times):
        hit, start = hits[i % len(hits)], int(at * RATE_HZ)
        if 0 <= start < N:
            out[start : start + len(hit)] += hit
    return out[:N]


def tick(hz, seconds=0.03, gain=1.0):
    t = np.arange(int(RATE_HZ * seconds * 4)) / RATE_HZ
    return gain * np.sin(2 * np.pi * hz * t) * np.exp(-t / seconds * 2)


def metronome(bpm, beats=4):
    """Clicks, the first of a bar higher."""
    return struck(np.arange(0, SECONDS, 60 / bpm), [tick(1500)] + [tick(1000, gain=0.7)] * (beats - 1))


def switched(on, off, samples):
    """On for so many seconds, off for so many, with soft edges."""
    gate = (T % (on + off) < on).astype(float)
    return samples * np.convolve(gate, np.ones(200) / 200, "same")


def keyed(pieces):
    """(frequencies, seconds) one after another, until time is up; no frequency is a pause."""
    out, at = np.zeros(N), 0
    for hz, seconds in pieces:
        n = min(int(seconds * RATE_HZ), N - at)
        if n <= 0:
            break
        t = np.arange(n) / RATE_HZ
        out[at : at + n] = sum((np.sin(2 * np.pi * f * t) for f in hz), np.zeros(n))
        at += n
    return out


def dialled(rng):
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    for _ in range(200):
        yield (rows[rng.integers(4)], columns[rng.integers(3)]), 0.12
        yield (), 0.08 + 0.4 * rng.random()


def morse(text, hz=700, dot=0.07):
    codes = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..").split()))
    while True:
        for letter in text:
            for sign in codes.get(letter, ""):
                yield (hz,), dot * (3 if sign == "-" else 1)
                yield (), dot
            yield (), dot * (2 if letter != " " else 4)


def modem(rng):
    """300 bits a second on two tones."""
    while True:
        yield (1070 if rng.random() < 0.5 else 1270,), 1 / 300


def made():
    """(kind, name, samples) of everything."""
    rng = np.random.default_rng(20)
    silence = np.zeros(N)
    yield "silence", "digital", silence
    yield "silence", "dither", (rng.random(N) - rng.random(N)) / 32767
    yield "silence", "line noise at -70 dB", level(rng.standard_normal(N), -60)
    for name, slope in (("white", 0), ("pink", 0.5), ("brown", 1), ("blue", -0.5)):
        yield "noise", name, level(coloured(rng, slope))
    yield "noise", "white, quiet", level(rng.standard_normal(N), -46)
    yield "noise", "telephone band", level(coloured(rng, 0, 300, 3400))
    yield "noise", "surf", level(coloured(rng, 0.5) * (0.2 + np.sin(np.pi * T / 7) ** 2))
    yield "noise", "rain", level(struck(np.sort(rng.random(6000)) * SECONDS, [
        rng.standard_normal(300) * np.exp(-np.arange(300) / 40) * g for g in rng.random(97)]))
    for bpm in (40, 60, 90, 120, 160, 208):
        yield "clicks", f"metronome at {bpm}", level(metronome(bpm, 3 if bpm == 90 else 4))
    yield "clicks", "clock", level(struck(np.arange(0, SECONDS, 0.5), [tick(3200, 0.01), tick(2700, 0.01)]))
    yield "clicks", "Geiger counter", level(struck(np.cumsum(rng.exponential(0.15, 400)), [tick(2000, 0.003)]))
    yield "clicks", "crackle of a record", level(
        struck(np.cumsum(rng.exponential(0.03, 2000)), [tick(4000, 0.001, g) for g in rng.random(53) ** 3])
        + 0.01 * rng.standard_normal(N))
    for hz in (50, 100, 440, 1000, 5000):
        yield "tones", f"sine {hz} Hz", level(tone(hz))
    yield "tones", "square 220 Hz", level(np.sign(tone(220)))
    yield "tones", "sawtooth 110 Hz", level(T * 110 % 1 - 0.5)
    yield "tones", "mains hum", level(sum(tone(50 * k) / k**1.5 for k in range(1, 12)) + 0.02 * rng.standard_normal(N))
    yield "tones", "beating, 440 and 443 Hz", level(tone(440, 443))
    yield "sweeps", "linear, 20 to 10000 Hz", level(swept(np.linspace(20, 10_000, N)))
    yield "sweeps", "logarithmic, up", level(swept(np.geomspace(20, 10_000, N)))
    yield "sweeps", "logarithmic, down", level(swept(np.geomspace(10_000, 20, N)))
    yield "sweeps", "siren", level(swept(900 + 500 * np.sin(2 * np.pi * T / 4)))
    yield "sweeps", "chirps, one a second", level(swept(200 + 3000 * (T % 1)))
    yield "signals", "dial tone, 350 and 440 Hz", level(tone(350, 440))
    yield "signals", "dial tone, 425 Hz", level(switched(0.5, 0.5, tone(425)))
    yield "signals", "ringing, 2 s of 6", level(switched(2, 4, tone(440, 480)))
    yield "signals", "busy", level(switched(0.25, 0.25, tone(480, 620)))
    yield "signals", "dialling", level(keyed(dialled(rng)))
    yield "signals", "Morse", level(keyed(morse("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG ")))
    yield "signals", "modem", level(keyed(modem(rng)))
    yield "signals", "alarm clock", level(keyed(((2000,), 0.1) if i % 2 == 0 else ((), 0.1 if i % 8 < 7 else 0.6)
                                                for i in range(1000)))


# Voices of espeak-ng (language+variant), and what each of them says.
TEXTS = {
    "en": """The ferry leaves the harbour at a quarter past nine, and nobody on the quay seems to be in a hurry. A woman in
a grey coat reads yesterday's paper. Two children count the gulls on the roof of the customs house, lose their
place, and begin again. When the ramp comes down the cars roll off one by one, and the drivers wave at a man
in a yellow vest who does not wave back. It has rained since Tuesday. The forecast for the islands promises
wind from the west, some sun in the afternoon, and more rain by the end of the week.""",
    "en-us": """Thank you for calling. Our offices are open from Monday to Friday, between eight in the morning and five in
the afternoon. If you know the extension of the person you wish to reach, please enter it now. For questions
about an invoice, press one. For the status of an order, press two. To hear these options again, please stay
on the line. Your call is important to us, and it will be answered in the order in which it was received. The
time to wait is at present about eleven minutes.""",
    "de": """Der Zug nach Hannover hat heute etwa zwanzig Minuten Verspätung. Auf dem Bahnsteig stehen drei Reisende mit
großen Koffern und ein Hund, der jeden begrüßt. Im Wartesaal ist die Heizung ausgefallen, deshalb drängen sich
alle um den kleinen Ofen neben dem Fahrkartenschalter. Der Beamte erklärt einer älteren Dame zum vierten Mal,
dass sie in Göttingen umsteigen muss. Sie nickt, schreibt es auf einen Zettel und fragt dann, ob es dort auch
einen Speisewagen gibt.""",
    "fr": """Le marché s'installe avant le lever du jour. Les premiers camions arrivent vers cinq heures, et l'on décharge
les caisses de pommes, de poireaux et de salades sous la lumière jaune des lampadaires. Le boulanger apporte
du café à tout le monde. Vers huit heures, les clients se pressent devant l'étal du poissonnier, qui raconte
toujours la même histoire. À midi, tout est rangé, la place est lavée à grande eau, et les pigeons se
partagent ce qui reste.""",
    "es": """La biblioteca del barrio cierra a las ocho, pero la bibliotecaria suele quedarse un rato más. Ordena los
libros que los niños dejaron sobre las mesas, apaga las lámparas una por una y mira por la ventana si todavía
llueve. Hoy ha encontrado, dentro de una novela muy vieja, una carta sin abrir con fecha de mil novecientos
sesenta y dos. La ha puesto sobre el mostrador y no sabe qué hacer con ella. Mañana preguntará a su jefe.""",
    "it": """Ogni mattina il signor Bruni scende le scale con due secchi d'acqua e innaffia le piante del cortile. Poi si
siede sulla panchina, apre il giornale e commenta ad alta voce le notizie, anche se non lo ascolta nessuno.
Alle dieci passa la postina con la bicicletta rossa, e i due parlano del tempo, dei treni in ritardo e del
prezzo del pane. Quando suona la campana di mezzogiorno lui piega il giornale, saluta il gatto e torna in
casa.""",
}
VOICES = ("en", "en+f3", "en+m5", "en-us", "en-us+f2", "en-us+croak", "de", "de+f4", "fr", "fr+f1", "es", "es+m3", "it", "it+f5",
          "en+whisper", "de+m7")
