"""Names that look like others. Two names may differ as text and be one to the eye: `paypal` with a Cyrillic `а`.

The rule: letters of other scripts, and rare Latin ones, that look like a letter of ASCII count as that letter; what
cannot be seen does not count. Taken from Unicode's confusables.txt (UTS #39, version 15), its single letters of the
scripts in which people write names. ASCII's own (l and 1, O and 0) are told apart: many user names rely on it.
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
# Default_Ignorable_Code_Point that is no format character: joiners, fillers, variation selectors; and the empty Braille
# pattern, which is as blank
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def looks(name: str) -> str:
    """`name` as the eye takes it: equal for names that look alike."""
    apart = unicodedata.normalize("NFKD", name).translate(_LETTERS)
    return fold(" ".join(without_unseen(apart).split()))


def without_unseen(text: str) -> str:
    """`text` without the characters that leave no trace on a screen."""
    return "".join(one for one in _UNSEEN.sub("", text) if unicodedata.category(one) != "Cf")
