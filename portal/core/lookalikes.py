"""Names that look alike. Two names may be different texts and look the same: `paypal` with a Cyrillic `а`.

The rule: a letter of another script, or a rare Latin letter, that looks like an ASCII letter counts as that letter.
Invisible characters do not count. The table is taken from Unicode's confusables.txt (UTS #39, version 15): its single
letters of scripts in which people write names. ASCII characters that look alike (l and 1, O and 0) stay different,
because many user names rely on it.
"""

from __future__ import annotations

import re
import unicodedata

from portal.core.text import fold

_LIKE = (
    ("ɑƄꞴᴄꬲẝꞘꞙꬵƍɡᶃıƖɩɪꞲǀᴏᴑꬽƦꭇꭈƽꜱʋᴜꞟꭎꭒᴠɯᴡꞳɣʏᶌỿꭚᴢ", "abbceffffgggiiiijlooorrrssuuuuuvwwxyyyyyz"),  # Latin
    ("АаВЬСсԁЕеҽԌНһІіӀӏꙇЈјКМОоРрԛгЅѕТѴѵѡԜԝХхУуҮү", "aabbccdeeeghhiiilijjkmooppqrsstvvwwwxxyyyy"),  # Cyrillic
    ("ΑαΒΕϜΗΙιͿϳΚΜϺΝΟοσΡρᴦΤυνΧΥγΖ", "aabefhiijjkmmnooopprtuvxyyz"),  # Greek
    ("քցհոռՕօգզՏՍսա", "fghnnooqqsuuw"),  # Armenian
    ("ᎪᏏᏴᏟꮯᎠᏧᎬᏀᏳᎻᏂᎥꭵᎫᏦᏞᎷᏢᎡᏒꮁᏕᏚꮪᎢᏙꮩᎳᏔꮃᎩᎽᏃꮓ", "abbccddegghhiijklmprrrssstvvwwwyyzz"),  # Cherokee
    ("ⲤⲥⲎⲒⲔⳐⲘⲚⲞⲟⲢⲣⲅⲦⲬⲨ", "cchiklmnoopprtxy"),  # Coptic
    ("ꓮꓐꓚꓒꓓꓰꓝꓖꓧꓙꓗꓡꓲꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "abcddefghjkllmnoprstuvwxyz"),  # Lisu
    ("ჿყ", "oy"),  # Georgian
)
_LETTERS = str.maketrans(
    {letter: plain for letters, plains in _LIKE for letter, plain in zip(letters, plains, strict=True)}
)
# Default_Ignorable_Code_Points that are not format characters: joiners, fillers, variation selectors; and the empty
# Braille pattern, which is blank too
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def looks(name: str) -> str:
    """A key for `name`: equal for names that look alike."""
    apart = unicodedata.normalize("NFKD", name).translate(_LETTERS)
    return fold(" ".join(without_unseen(apart).split()))


def without_unseen(text: str) -> str:
    """`text` without invisible characters."""
    return "".join(one for one in _UNSEEN.sub("", text) if unicodedata.category(one) != "Cf")
