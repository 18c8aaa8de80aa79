import av
import numpy as np
import pytest

from prep.toy.film import CODECS, FPS, spoil, write_film


@pytest.fixture(scope="module")
def frames():
    """A grey square that moves over a gradient: smooth enough for any codec."""
    clip = np.zeros((24, 64, 64, 3), np.uint8)
    clip += np.linspace(40, 120, 64, dtype=np.uint8)[None, None, :, None]
    for number, frame in enumerate(clip):
        frame[20:40, 2 * number : 2 * number + 16] = 200
    return clip


def decode(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.mark.parametrize("suffix", CODECS)
def test_a_film_shows_its_frames_at_its_rate(tmp_path, frames, suffix):
    path = tmp_path / f"film{suffix}"
    write_film(path, frames)
    with av.open(str(path)) as film:
        assert film.streams.video[0].average_rate == FPS
    shown = decode(path)
    assert len(shown) == len(frames)
    errors = np.abs(np.stack(shown).astype(int) - frames)
    assert errors.mean() < 5
    wrong = np.abs(np.stack(shown[1:]).astype(int) - frames[:-1])
    assert wrong.mean() > errors.mean()


@pytest.mark.parametrize("suffix", CODECS)
def test_the_same_frames_give_the_same_bytes(tmp_path, frames, suffix):
    for name in ("one", "two"):
        write_film(tmp_path / f"{name}{suffix}", frames)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_broken_files_are_broken(tmp_path, frames):
    # Grain, as the benchmark's clips have it: else the header is most of the file.
    grain = np.random.default_rng(1).integers(0, 60, frames.shape, dtype=np.uint8)
    for damage in ("empty", "page", "cut"):
        path = tmp_path / f"{damage}.avi"
        write_film(path, frames // 2 + grain)
        spoil(path, damage)
        if damage == "cut":
            assert 0 < len(decode(path)) < len(frames) * 0.7
        else:
            with pytest.raises(av.error.FFmpegError):
                decode(path)


def test_no_damage_leaves_a_file_whole(tmp_path, frames):
    path = tmp_path / "film.avi"
    write_film(path, frames)
    before = path.read_bytes()
    spoil(path, "")
    assert path.read_bytes() == before
