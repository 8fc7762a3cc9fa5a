"""Measure how easy a text reads: Flesch-Kincaid grade for English, Fernandez-Huerta ease for Spanish.

Sources: Kincaid et al. 1975 (grade = 0.39 words/sentence + 11.8 syllables/word - 15.59); Fernandez Huerta
1959 (ease = 206.84 - 60 syllables/word - 1.02 words/sentence; 55 and more is "normal" or easier).
A number counts as one syllable, and a link as two words, so that neither sways the measure.
"""

import re

_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)|\n")
_ENGLISH_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'&/-]*")
_SPANISH_WORD = re.compile(r"[^\W_]+(?:[/-][^\W_]+)*")
_VOWELS = re.compile(r"(?:[aeiouáéíóúü]|y(?![aeiouáéíóú]))+")
_STRONG = re.compile(r"[aeoáéíóú]")
#: Texts shorter than this are not measured: a formula of averages says nothing about them.
MIN_WORDS = 8


def english_words(text: str) -> int:
    """Return how many words an English text has; numbers alone do not count."""
    return len(re.findall(r"[A-Za-z][\w'-]*", text))


def spanish_words(text: str) -> int:
    """Return how many words a Spanish text has; numbers and fields do not count."""
    return len(re.findall(r"[^\W\d_]+", re.sub(r"\{\w+\}", "", text)))


def spell_links(text: str, words: str) -> str:
    """Return the text with `{link}` as plain words, ending its sentence where a new one follows."""
    return re.sub(r"\{link\}(?=\s+[¿¡]?[A-ZÁÉÍÓÚÑ])", f"{words}.", text).replace("{link}", words)


def english_syllables(word: str) -> int:
    """Return an estimate of the syllables of an English word (silent endings do not count)."""
    word = re.sub(r"[^a-z]", "", word.lower())
    if len(word) <= 3:
        return 1
    if not re.search(r"les?$", word):
        word = re.sub(r"(?:[^laeiouy]es|[^dtaeiouy]ed|[^laeiouy]e)$", "", word)
    return max(1, len(re.findall(r"[aeiouy]{1,2}", re.sub(r"^y", "", word))))


def spanish_syllables(word: str) -> int:
    """Return the syllables of a Spanish word: weak vowels join their neighbours unless accented."""
    groups = _VOWELS.findall(re.sub(r"(?<=[qg])u(?=[eiéí])", "", word.lower()))
    return max(1, sum(max(1, len(_STRONG.findall(group))) for group in groups))


def sentences(text: str) -> int:
    """Return how many sentences a text has, at least 1."""
    return max(1, len([part for part in _SENTENCE_END.split(text) if re.search(r"\w", part)]))


def grade(text: str) -> float:
    """Return the Flesch-Kincaid school grade of an English text with its fields filled, to one decimal."""
    words = _ENGLISH_WORD.findall(text)
    syllables = sum(map(english_syllables, words))
    return round(0.39 * len(words) / sentences(text) + 11.8 * syllables / len(words) - 15.59, 1)


def ease(text: str) -> float:
    """Return the Fernandez-Huerta ease of a Spanish text with its fields filled, to one decimal."""
    words = _SPANISH_WORD.findall(text)
    syllables = sum(map(spanish_syllables, words))
    return round(206.84 - 60 * syllables / len(words) - 1.02 * len(words) / sentences(text), 1)
