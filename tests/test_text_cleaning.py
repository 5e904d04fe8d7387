"""Cleaning of posts: each step by cases, and laws over hostile strings."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nasty
from quern.text import TextCodec, Vocabulary
from quern.text.cleaning import MARKS, STEPS, Cleaner, CleaningSettings, clean

OFF = CleaningSettings(
    html=False, markdown=False, urls="keep", emails="keep", space=False
)  # code is kept, so nothing is done


def only(**values: object) -> CleaningSettings:
    """Settings that switch on what is named and nothing else."""
    return msgspec.convert(msgspec.to_builtins(OFF) | values, CleaningSettings)


CASES = [
    # blocks of code
    ({"code": "mark"}, "see\n```rust\nlet a = 1;\n```\nthere", "see\n⌨\nthere"),
    ({"code": "drop"}, "see\n~~~\na\n```\nb\n~~~~\nthere", "see\n\nthere"),
    ({"code": "mark"}, "- item\n  ```\n  a\n  ```\nend", "- item\n⌨\nend"),
    ({"code": "mark"}, "never closed\n```\na\nb", "never closed\n⌨"),
    ({"code": "mark"}, "run\n\n    make\n\n    make test\n\nthen", "run\n\n⌨\n\nthen"),
    ({"code": "mark"}, "\tmake", "⌨"),
    ({"code": "mark"}, "1. first\n\n    its second paragraph", None),
    ({"code": "mark"}, "no blank line\n    goes on", None),
    ({"code": "mark"}, "- item\n\nparagraph\n\n    make", "- item\n\nparagraph\n\n⌨"),
    ({"code": "mark"}, "a<pre class=x>b\n<b>c</b></pre>d", "a⌨d"),
    ({"code": "mark"}, "a `b` ```c``` d", None),
    # code within lines
    ({"inline": "mark"}, "call `f(x)` or ``a`b``", "call ⌨ or ⌨"),
    ({"inline": "drop"}, "用`f(x)`吧", "用吧"),
    ({"inline": "mark"}, "a ` b\n\nc ` d", None),
    ({"inline": "mark"}, "a `b\nc` d", "a ⌨ d"),
    ({"inline": "mark"}, "``a` b", None),
    # HTML
    ({"html": True}, "<p>a <b class='x > y'>b</b><br/>c &amp; d&nbsp;e", "\na b\nc & d\xa0e"),
    ({"html": True}, "a<!-- say - what -- happened -->b<script>x < 1 </script>c", "abc"),
    ({"html": True}, "a<!-- never closed", None),
    ({"html": True}, "Vec<T>, Box<A>, a < b, x<y and z>w, List<String>", None),
    ({"html": True}, "&lt;T&gt; &#60;U&#x3e; &amp;amp;hearts;", "<T> <U> ♥"),
    ({"html": True}, "&nosuch; &amp AT&T; &#xe000;", None),
    ({"html": True}, "<DETAILS><Summary>log</Summary>", "\n\nlog\n"),
    # Markdown
    ({"markdown": True}, "# Head\n\n## # Two\nC# and #12", "Head\n\nTwo\nC# and #12"),
    ({"markdown": True}, "**bold**, *it*, ***both***, _it_, ~~no~~", "bold, it, both, it, no"),
    ({"markdown": True}, "*const T and *mut T, a * b * c, snake_case_name, __init__", None),
    ({"markdown": True}, "__very bold__ and **a *b* c**", "very bold and a b c"),
    ({"markdown": True}, "see [the *page*](http://a.b/c_(d) \"t\")!", "see the page!"),
    ({"markdown": True}, "[![state](a.svg)](http://a.b) ![](x.png)", "state "),
    ({"markdown": True}, "[a][1], [b][], [c], x[1][2]\n\n[1]: http://a.b\n[B]: /c 'd'\n",
     "a, b, [c], x[1][2]\n\n"),
    ({"markdown": True}, "[INFO]: ready", None),
    ({"markdown": True}, "- a\n* [x] b\n  + c\n1. d\n-1", "a\nb\nc\n1. d\n-1"),
    ({"markdown": True}, "> > said\n>again", "said\nagain"),
    ({"markdown": True}, "a|b\n-|-\n1|2\n| 3 | 4 |\n\nx|y", "a  b\n1  2\n3  4\n\nx|y"),
    ({"markdown": True}, "|x| x + 1, a || b", None),
    ({"markdown": True}, "Head\n===\n\n* * *\n---", "Head\n\n\n\n"),
    ({"markdown": True}, "<https://a.b/c> <a@b.c>", "https://a.b/c <a@b.c>"),
    # what is told by its form
    ({"urls": "mark"}, "见https://a.cn/b?c=d。(http://a.b/c_(d)), www.a.b.", "见🔗。(🔗), 🔗."),
    ({"urls": "drop"}, "at ftp://a.b/c, xhttp://a", "at , xhttp://a"),
    ({"emails": "mark"}, "写信给a.b+c@mail.example.cn。 @name a@b", "写信给✉。 @name a@b"),
    ({"phones": "mark"}, "电话13812345678，+44 20 7946 0018, (555) 010-0199, 020-12345678",
     "电话☎，☎, ☎, ☎"),
    ({"phones": "mark"}, "2020-01-02, 1.2.3, 0.12.0-nightly, 123-45, 4294967295, 10 000", None),
    ({"numbers": "mark"}, "在2011年，3.14 or 1,000", "在🔢年，🔢 or 🔢"),
    ({"numbers": "mark"}, "u32 E0308 v1.2 x_1", None),
    # white space and case
    ({"space": True}, " a \t b\r\n\r\n\u3000\r\n c\u2028d ", "a b\n\nc\nd"),
    ({"case": "lower"}, "ΑΣ Ab `Cd`", "ας ab `cd`"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "text", "wanted"), CASES)
def test_each_step_by_itself(values: dict[str, object], text: str, wanted: str | None) -> None:
    """None: the text is left as it is."""
    assert clean(text, only(**values)) == (text if wanted is None else wanted)


def test_every_step_has_a_case_and_off_is_off() -> None:
    assert {step for values, _, _ in CASES for step in values} == set(STEPS)
    for _, text, _ in CASES:
        assert clean(text, OFF) == text


def test_kept_code_is_left_alone() -> None:
    code = "```\n<b>*a*</b>   &amp; http://a.b\n```"
    assert clean(f"<b>see</b>\n{code}\n and `Vec<u8>  *x*` ") == f"see\n{code}\nand `Vec<u8>  *x*`"
    assert clean("    let  a = <b>;\n\n\n\nthen") == "    let  a = <b>;\n\nthen"
    assert clean("see [`Vec<i>`](http://a.b)") == "see `Vec<i>`"
    assert clean("<!-- `a` --> `b`") == "`b`"


def test_what_steps_bring_together_is_cleaned_as_well() -> None:
    assert clean("<<b>b>a") == "a"
    assert clean("&lt;b&gt;a") == "a"
    assert clean("``<b>`x") == clean(clean("``<b>`x"))


def test_a_text_that_never_settles_is_counted() -> None:
    cleaner = Cleaner()
    deep = "<" * 30 + "b>" * 30
    assert cleaner(deep) == "<" * 22 + "b>" * 22
    assert cleaner.unsettled == 1
    assert cleaner("<b>a</b>") == "a"
    assert (cleaner.unsettled, cleaner.changed) == (1, {"html": 2})


def test_changed_texts_are_counted_by_step() -> None:
    cleaner = Cleaner(CleaningSettings(code="mark", numbers="mark", case="lower"))
    texts = ["A 1", "plain", "```\na\n```\n<b>12</b>"]
    assert list(map(cleaner, texts)) == ["a 🔢", "plain", "⌨\n🔢"]
    assert cleaner.changed == {"numbers": 2, "case": 1, "code": 1, "html": 1}


def test_marks_are_units_of_their_own() -> None:
    codec = TextCodec(Vocabulary(()))
    for mark in MARKS.values():
        assert codec.encode(f"a{mark}b").length == 3
        assert codec.encode(f"王{mark}1").length == 3
    assert set(MARKS) <= set(STEPS)


def test_chinese_is_unhurt() -> None:
    text = "王小明（1962年生）说：“三＜五，甲＞乙”，《石桥夜话》——第３版。\n\n"
    text += "　　第二段；价格￥30～50元/㎡，A股B轮。"
    assert clean(text) == text.replace("\u3000", "")


MARKUP = [
    *("`", "``", "```", "~~~", "\n```\n", "\n    ", "\n\n    x", "\t", "<pre>", "</pre>"),
    *("<b>", "</b>", "<", ">", "<br>", "<T>", "<!--", "-->", "<script>", "</script>", "&", "&amp;"),
    *(
        "amp;",
        "lt;",
        "&lt;",
        "&gt;",
        "&#42;",
        "&#x60;",
        "&#xe001;",
        "#",
        "# ",
        "*",
        "**",
        "_",
        "__",
    ),
    *("~~", "[", "]", "(", ")", "](", "![", "[a](b)", "[a]: /b", "[a]", "|", "|-|", "\n-|-\n"),
    *("> ", "\n---\n", "===", "1. ", "- ", "[x] ", "http://a.b", "https://", "www.", "a@b.cn"),
    *("@", ".com", "+44 20 7946 0018", "13812345678", "-", "\ue000", "\ue010", "\ue001\ue010"),
    *MARKS.values(),
]
posts = st.lists(
    st.one_of(st.sampled_from(MARKUP), st.sampled_from(MARKUP), nasty.pieces), max_size=24
).map("".join)
treatments = st.sampled_from(["keep", "mark", "drop"])
settings = st.builds(
    CleaningSettings,
    **dict.fromkeys(MARKS, treatments),
    **{name: st.booleans() for name in ("html", "markdown", "space")},
    case=st.sampled_from(["keep", "lower"]),
)


@given(posts)
def test_a_clean_text_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@given(posts, settings)
def test_so_it_does_with_any_settings(text: str, given_settings: CleaningSettings) -> None:
    cleaner = Cleaner(given_settings)
    once = cleaner(text)
    if not cleaner.unsettled:
        assert cleaner(once) == once


@given(posts)
def test_nothing_is_invented(text: str) -> None:
    """What is kept stood in the text, in this order, but for marks, entities and white space."""
    left = iter(text)
    kept = clean(text, only(html=False, markdown=True, space=True))
    assert all(char.isspace() or char in left for char in kept)


@given(st.text(alphabet=st.characters(whitelist_categories=("Lo",)), min_size=1))
def test_letters_without_case_are_never_touched(text: str) -> None:
    everything = CleaningSettings("drop", "drop", True, True, "drop", "drop", "drop", "drop")
    assert clean(text, everything) == text


HOSTILE = [
    *("[", "<", "`", "``` ", "<!--", "<a ", '<a "', "<pre>", "<script>", "![", "[](", "[a](b"),
    *("[[", "](", "[a]", "[a]:", "*", "*a ", "_", "_a", "~~", "~~a", "|", "|-", "-", "- ", "> "),
    *("#", "# ", "&", "&amp;", "&#38;", "http://", "http://(", "www.", "a@", "a@a.", "a.", "1"),
    *("1 ", "1.", "+1 ", "(1", "\n", " \n", "    a\n\n", "- a\n\n    b\n\n", "\n```\n", "\n`\n"),
    *("a|\n-|\n", "` `` ", "\ue000", "\ue001\ue010", " ", "a ", "王", "[a](b) ", "<b>a</b> "),
    *("**a** ", "`a` "),
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_is_linear_whatever_the_text(unit: str) -> None:
    everything = CleaningSettings("mark", "mark", True, True, "mark", "mark", "mark", "mark")
    for chosen in (CleaningSettings(), everything):
        start = time.perf_counter()
        clean(unit * (200_000 // len(unit)), chosen)
        assert time.perf_counter() - start < 10  # what grows with the square takes minutes


def test_the_page_lists_the_steps_and_its_examples_are_true() -> None:
    page = (Path(__file__).parent.parent / "docs" / "preparing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)
    defaults = msgspec.to_builtins(CleaningSettings())
    assert rows == [(step, str(defaults[step]).lower()) for step in STEPS]
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    examples = re.findall(r"^(clean\(.*\))  # (.*)$", code, re.MULTILINE)
    assert len(examples) == 2
    names = {"clean": clean, "CleaningSettings": CleaningSettings}
    for call, wanted in examples:
        assert eval(call, names) == ast.literal_eval(wanted)
