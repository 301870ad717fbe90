"""Phrases to avoid, each with what to write instead."""

import re

# (pattern, what to write); matched from the beginning of a word, upper and lower case alike.
PHRASES = [
    (r"behind\b", "after, downstream of"),
    (r"stands?\b|standing\b|stood\b", "is in, is part of"),
    (r"tells?\b|told\b|telling\b", "reports, declares, distinguishes"),
    (r"says?\b|said\b|saying\b", "reports, prints, declares"),
    (r"lets? out\b", "produces"),
    (r"goes\b|gone\b|go on\b|goes on\b", "is removed, continues"),
    (r"(?<!there )(?:is|are) none\b", "is not a …"),
    (r"nobody\b|anybody\b|somebody\b", "the passive"),
    (r"so many\b", "the number of …"),
    (r"(?:takes?|took|taken) down\b", "records"),
    (r"(?:leaves?|leave|left|leaving) \w+(?: \w+){0,3} away\b|(?:leaves?|left) away\b", "omits"),
    (r"anew\b", "again"),
    (r"a turn\b", "an iteration"),
    (r"spelt\b", "written"),
    (r"hand(?:s|ed)? on\b", "passes through"),
    (r"meets?\b|met\b", "is applied to"),
    (r"hold(?:s)? (?:for|of)\b", "matches, applies to"),
    (r"(?:is|are|was|were) another\b|another than\b|others than\b", "changed, different"),
    (r"(?:line|one|file|suite|test|row|entry|path|rate|site|name|number|bytes|time) an? "
     r"(?:line|core|file|model|finding|site|row|rate|level|element|node|value|run|call|rule|format"
     r"|subcommand)\b", "one … per …"),
    (r"parts at\b", "first diverges at"),
    (r"believed?\b|believes\b|forgives?\b", "no personification"),
    (r"whoever\b|whosoever\b", "name who"),
    (r"(?:that|which|what|all that) only (?:it|they|these|those)\b", "left unused"),
    (r"not the same\b", "different"),
    (r"but for\b|save for\b", "except for"),
    (r"is to be\b|are to be\b", "must be, is"),
    (r"sees? to it\b", "ensures"),
    (r"beside\b", "next to"),
    (r"could not do the job\b", "error"),
    (r"one of which\b|of which all\b|all of this\b|all of that\b", "name the noun"),
    (r"(?:where|if) it is none\b", "not a …"),
    (r"of its own accord\b|by itself\b", "name the mechanism"),
    (r"for good\b", "forever, permanently"),
    (r"draws? nothing\b", "produces no random numbers"),
    (r"(?:is|are|was|were) not there\b|(?:is|are) there that\b", "does not exist, is missing"),
    (r"seen through\b|sees? through\b", "followed through"),
    (r"ONNX'(?!s)", "ONNX's"),
    (r"in so\b|inasmuch\b|likewise\b|hardly\b", "plainer words"),
    (r"as if it were none\b|it is so\b|at hand\b", "plainer words"),
    (r"what (?:is|was|are|were) (?:to be|asked|made|left|said|known|shown|allowed|new|wrong)\b",
     "name the noun"),
    (r"what (?:it|they) (?:has|have|knows?|wrote|writes?|reads?)\b",
     "name the noun"),
    (r"who (?:asks|calls|wants|changes|reads|writes|needs|uses|cannot)\b", "name who"),
    (r"comes? to\b", "amounts to, is"),
    (r"(?:puts?|putting) (?:in|back)\b", "inserts, restores"),
    (r"(?:takes?|taking|taken) (?:it )?out\b", "removes"),
    (r"gives? back\b|given back\b", "returns, restores"),
    (r"makes? (?:\w+ ){0,2}of (?:it|them|that|this)\b", "name the result"),
]

# Where a phrase is plain English after all.
FINE = re.compile(
    r"(?:ONNX|spec|specification|reference|documentation) says\b|that is to say|\*\.onnx'",
    re.IGNORECASE,
)
