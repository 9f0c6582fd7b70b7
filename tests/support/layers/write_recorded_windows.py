"""Record layers of real Keras that slide windows over signals: adaptive poolings, spectrograms.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_windows.py

Needs keras, torch and scipy. Recorded with Keras 3.15.1.
"""

from __future__ import annotations

from keras import layers
from write_recorded_layers import record

IMAGE, FIRST, VOLUME, SIGNAL = (7, 6, 2), (2, 7, 6), (4, 3, 5, 2), (40,)
FACTORS = [0.25, 0.5, 1.0, 0.75]
LAYERS = {
    "average_1d": (layers.AdaptiveAveragePooling1D(4), (6, 2)),
    "average_2d": (layers.AdaptiveAveragePooling2D(3), IMAGE),
    "average_2d_uneven": (layers.AdaptiveAveragePooling2D((5, 9)), IMAGE),
    "average_2d_first": (layers.AdaptiveAveragePooling2D((3, 4), "channels_first"), FIRST),
    "average_3d": (layers.AdaptiveAveragePooling3D((3, 2, 4)), VOLUME),
    "max_1d": (layers.AdaptiveMaxPooling1D((4,)), (6, 2)),
    "max_2d": (layers.AdaptiveMaxPooling2D(3), IMAGE),
    "max_2d_uneven": (layers.AdaptiveMaxPooling2D((5, 9)), IMAGE),
    "max_3d": (layers.AdaptiveMaxPooling3D((3, 2, 4)), VOLUME),
    **{
        mode: (layers.STFTSpectrogram(mode, 4, window="hamming", expand_dims=True), (11, 2))
        for mode in ("log", "magnitude", "psd", "real", "imag", "stft", "angle")
    },
    "flat": (layers.STFTSpectrogram("magnitude", 5, 3, 8, [*FACTORS, 0.5], True), (11, 2)),
    "same": (layers.STFTSpectrogram("psd", 4, 3, scaling="spectrum", padding="same"), (11, 1)),
    "first": (layers.STFTSpectrogram("stft", 4, data_format="channels_first"), (2, 11)),
    "first_expanded": (
        layers.STFTSpectrogram("psd", 4, expand_dims=True, data_format="channels_first"),
        (2, 11),
    ),
    "mel": (layers.MelSpectrogram(16, 8, num_mel_bins=4), SIGNAL),
    "mel_odd": (layers.MelSpectrogram(15, 7, 10, "hamming", 8000, 5, 100.0, 3000.0), SIGNAL),
    "mel_magnitude": (
        layers.MelSpectrogram(8, 4, 4, FACTORS, num_mel_bins=3, power_to_db=False, mag_exp=1),
        SIGNAL,
    ),
    "mel_powers": (
        layers.MelSpectrogram(
            *(8, 4, None, None),
            num_mel_bins=3,
            top_db=5.0,
            mag_exp=1.5,
            min_power=0.1,
            ref_power=2.0,
        ),
        SIGNAL,
    ),
}


if __name__ == "__main__":
    record(LAYERS, "recorded_windows")
