"""Golden values of the musicnn trunk, from the musicnn package itself (its graph, its checkpoint, TensorFlow).

Run once, in a throw-away environment of Python 3.11, and keep what it writes:

    python3.11 -m venv /tmp/venv
    /tmp/venv/bin/pip install tensorflow-cpu==2.15.1 'numpy<2' safetensors
    /tmp/venv/bin/pip install --no-deps musicnn==0.1.0
    /tmp/venv/bin/python make_trunk.py trunk.safetensors
"""

import os
import sys

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

tf.compat.v1.disable_eager_execution()
import musicnn  # noqa: E402
from musicnn import models  # noqa: E402

FRAMES, BANDS, TAGS = 187, 96, 50


def patches():
    """Two patches in the range of its mels, 0 to about 4, exact in half precision: chords that change, and noise."""
    t = np.arange(FRAMES)[:, None]
    f = np.arange(BANDS)[None, :]
    chord = 2.0 + np.cos(f / 7.0 + (t // 31) * 1.3) * np.exp(-(t % 31) / 20.0) + 0.6 * np.sin(t / 9.0) - f / 80.0
    noise = np.random.default_rng(7).random((FRAMES, BANDS)) * (3.5 - f / 40.0)
    return np.maximum(np.stack([chord, noise]), 0.0).astype(np.float16)


x = tf.compat.v1.placeholder(tf.float32, [None, FRAMES, BANDS])
training = tf.compat.v1.placeholder(tf.bool)
with tf.name_scope("model"):
    out = models.define_model(x, training, "MSD_musicnn", TAGS)
logits, mean_pool, max_pool, penultimate = out[0], out[6], out[7], out[8]
with tf.compat.v1.Session() as session:
    tf.compat.v1.train.Saver().restore(session, os.path.dirname(musicnn.__file__) + "/MSD_musicnn/")
    given = patches()
    feed = {x: given.astype(np.float32), training: False}
    values = session.run([logits, mean_pool, max_pool, penultimate], feed)
names = ["logits", "mean_pool", "max_pool", "penultimate"]
arrays = {n: np.ascontiguousarray(v.reshape(2, -1).astype(np.float32)) for n, v in zip(names, values)}
save_file({"patches": given, **arrays}, sys.argv[1], {"made_with": f"musicnn 0.1.0, tensorflow {tf.__version__}"})
for n, v in arrays.items():
    print(n, v.shape, float(v.min()), float(v.max()))
