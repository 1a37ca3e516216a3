"""What is measured carries the words it was measured on, to read."""

import lmdemo
from lmdemo.lab import Lab
from lmdemo.measured import readable
from lmdemo.passages import stretches
from lmdemo.text import EOS


def test_each_point_of_the_course_has_the_words_it_is_of(bundled: lmdemo.Checkpoint) -> None:
    *_, last = Lab(bundled).evaluate(300, 100, ["int8"])
    places = stretches(300)
    assert len(last.texts) == len(last.fidelity.results["int8"].course) == len(places)
    words = bundled.vocabulary.words
    predicted = [words[number] for number in bundled.test_ids[1:301].tolist()]
    for text, place in zip(last.texts, places, strict=True):
        letters = [word for word in predicted[place.start : place.stop] if word.isalpha()]
        assert [word for word in letters if word not in text] == []
        assert (
            text.split()[0].lstrip("“‘").startswith(predicted[place.start][:1]) or not predicted[place.start].isalpha()
        )


def test_a_text_is_read_in_one_line_and_its_long_words_are_cut() -> None:
    vocabulary = lmdemo.Vocabulary(["<unk>", EOS, '"', "so", "x" * 500])
    (text,) = readable(vocabulary, [2, 3, 2, 1, 2, 3, 4, 0])
    assert text.startswith("“so” ¶ “so xxx")
    assert text.endswith("x… <unk>")
    assert "x" * 500 not in text
