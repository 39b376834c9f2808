"""Problems for the abacus model: arithmetic with worked steps, in four levels.

A problem has a key that says what is computed, whatever the words around it ("47+85", "3/4-1/6"). Its SHA-256
decides where it belongs: keys whose digest begins with a byte below HELD_BACK are for evaluation only, all
others for training only. The two sets are disjoint by construction.
"""

import hashlib
import math
import random

HELD_BACK = 16  # of 256


def is_held_back(key):
    return hashlib.sha256(key.encode()).digest()[0] < HELD_BACK


# --- worked steps --------------------------------------------------------------------------------------------


def add_steps(a, b):
    """Column addition from the right, one line a column."""
    if max(a, b) < 10:
        return []
    x, y = str(a)[::-1], str(b)[::-1]
    lines, carry = [], 0
    for i in range(max(len(x), len(y))):
        p = int(x[i]) if i < len(x) else 0
        q = int(y[i]) if i < len(y) else 0
        s = p + q + carry
        lines.append(f"{p}+{q}+{carry}={s}" if carry else f"{p}+{q}={s}")
        carry = s // 10
    return lines


def sub_steps(a, b):
    """Column subtraction from the right with borrowing; a >= b."""
    if a < 20 and b < 10:
        return []
    x, y = str(a)[::-1], str(b)[::-1]
    lines, borrow = [], 0
    for i in range(len(x)):
        p = int(x[i])
        q = int(y[i]) if i < len(y) else 0
        d = p - q - borrow
        left = f"{p}-{q}-{borrow}" if borrow else f"{p}-{q}"
        if d < 0:
            lines.append(f"{left}={d}, {d}+10={d + 10}")
            borrow = 1
        else:
            lines.append(f"{left}={d}")
            borrow = 0
    return lines


def mul_digit_steps(a, d):
    """One digit times a number, from the right, with carries."""
    if a < 10 or d == 0:
        return []
    lines, carry = [], 0
    for c in str(a)[::-1]:
        p = int(c) * d
        lines.append(f"{c}*{d}={p}, +{carry}={p + carry}" if carry else f"{c}*{d}={p}")
        carry = (p + carry) // 10
    return lines


def show(lines, result):
    return lines + [result]


def add(a, b):
    return show(add_steps(a, b), f"{a}+{b}={a + b}")


def sub(a, b):
    if a >= b:
        return show(sub_steps(a, b), f"{a}-{b}={a - b}")
    return show(sub_steps(b, a), f"{b}-{a}={b - a}") + [f"{a}-{b}={a - b}"]


def mul(a, b):
    if b < 10:
        return show(mul_digit_steps(a, b), f"{a}*{b}={a * b}")
    lines, total = [], None
    for i, c in enumerate(str(b)[::-1]):
        part = a * int(c) * 10**i
        lines += mul_digit_steps(a, int(c)) + [f"{a}*{int(c) * 10**i}={part}"]
        if total is None:
            total = part
        else:
            lines += add(total, part)
            total += part
    return lines + [f"{a}*{b}={a * b}"]


def reduce_steps(n, d):
    g = math.gcd(n, d)
    if g == 1:
        return []
    return [f"gcd {g}", f"{n}/{d}={n // g}/{d // g}" if d // g != 1 else f"{n}/{d}={n // g}"]


def fraction_text(n, d):
    g = math.gcd(n, d)
    n, d = n // g, d // g
    return str(n) if d == 1 else ("-" if n < 0 else "") + "\\frac{%d}{%d}" % (abs(n), d)


def fraction_sum(a, b, c, d, sign):
    left, right, den = a * d, c * b, b * d
    num = left + right if sign == "+" else left - right
    lines = [f"{b}*{d}={den}", f"{a}*{d}={left}", f"{c}*{b}={right}", f"{left}{sign}{right}={num}"]
    return lines + [f"{num}/{den}"] + reduce_steps(num, den), num, den


def fraction_product(a, b, c, d):
    num, den = a * c, b * d
    return [f"{a}*{c}={num}", f"{b}*{d}={den}", f"{num}/{den}"] + reduce_steps(num, den), num, den


# --- problems by level: (key, question, lines, answer) ----------------------------------------------------------


def plain(rng, expression):
    words = rng.choice(["Compute {}.", "What is {}?", "Find {}.", "Evaluate {}.", "Calculate {}."])
    return words.format(expression)


def level_1(rng):
    kind = rng.randrange(4)
    if kind == 0:
        a, b = rng.randrange(100), rng.randrange(100)
        return f"{a}+{b}", plain(rng, f"{a} + {b}"), add(a, b), str(a + b)
    if kind == 1:
        a, b = sorted((rng.randrange(100), rng.randrange(100)), reverse=True)
        return f"{a}-{b}", plain(rng, f"{a} - {b}"), sub(a, b), str(a - b)
    if kind == 2:
        a, b = rng.randrange(2, 13), rng.randrange(2, 10)
        return f"{a}*{b}", plain(rng, f"{a} \\times {b}"), mul(a, b), str(a * b)
    a, b, c = (rng.randrange(1, 20) for _ in range(3))
    return f"{a}+{b}+{c}", plain(rng, f"{a} + {b} + {c}"), add(a, b) + add(a + b, c), str(a + b + c)


NAMES = ["Mia", "Tom", "Ana", "Ben", "Lea", "Max", "Eva", "Sam", "Ida", "Leo"]
THINGS = ["apples", "books", "coins", "cards", "pens", "stamps", "shells", "marbles"]


def story_change(rng, top):
    a, b = rng.randrange(5, top), rng.randrange(2, top)
    c = rng.randrange(1, a + b)
    name, thing, other = rng.choice(NAMES), rng.choice(THINGS), rng.choice(NAMES)
    text = f"{name} has {a} {thing}. {name} buys {b} more and gives {c} to {other}. How many {thing} does {name} have now?"
    return f"{a}+{b}-{c}", text, add(a, b) + sub(a + b, c), str(a + b - c)


def story_groups(rng, top):
    a, b, c = rng.randrange(3, top), rng.randrange(2, 10), rng.randrange(1, top)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    text = f"{name} has {b} boxes with {a} {thing} each and {c} {thing} more. How many {thing} are there in all?"
    return f"{a}*{b}+{c}", text, mul(a, b) + add(a * b, c), str(a * b + c)


def story_share(rng, top):
    d, q = rng.randrange(2, 10), rng.randrange(3, top)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    text = f"{name} shares {d * q} {thing} equally among {d} friends. How many {thing} does each friend get?"
    return f"{d * q}/{d}", text, mul(q, d) + [f"{d * q}/{d}={q}"], str(q)


def story_price(rng, top):
    p, n = rng.randrange(2, top), rng.randrange(2, 10)
    paid = p * n + rng.randrange(1, 60)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    text = f"{name} buys {n} {thing} at {p} dollars each and pays with {paid} dollars. How many dollars does {name} get back?"
    return f"{paid}-{p}*{n}", text, mul(p, n) + sub(paid, p * n), str(paid - p * n)


def level_2(rng):
    kind = rng.randrange(5)
    if kind == 0:
        a, b = rng.randrange(100, 10000), rng.randrange(10, 10000)
        return f"{a}+{b}", plain(rng, f"{a} + {b}"), add(a, b), str(a + b)
    if kind == 1:
        a, b = rng.randrange(100, 5000), rng.randrange(10, 5000)
        return f"{a}-{b}", plain(rng, f"{a} - {b}"), sub(a, b), str(a - b)
    if kind == 2:
        a, b = rng.randrange(12, 1000), rng.randrange(2, 10)
        return f"{a}*{b}", plain(rng, f"{a} \\times {b}"), mul(a, b), str(a * b)
    return rng.choice([story_change, story_groups, story_share])(rng, 50)


def small_fraction(rng, top):
    d = rng.randrange(2, top)
    return rng.randrange(1, d), d


def level_3(rng):
    kind = rng.randrange(4)
    if kind == 0:
        a, b = rng.randrange(11, 100), rng.randrange(11, 100)
        return f"{a}*{b}", plain(rng, f"{a} \\times {b}"), mul(a, b), str(a * b)
    if kind == 1:
        (a, b), (c, d) = small_fraction(rng, 10), small_fraction(rng, 10)
        sign = rng.choice("+-")
        lines, num, den = fraction_sum(a, b, c, d, sign)
        text = plain(rng, "\\frac{%d}{%d} %s \\frac{%d}{%d}" % (a, b, sign, c, d))
        return f"{a}/{b}{sign}{c}/{d}", text, lines, fraction_text(num, den)
    if kind == 2:
        (a, b), (c, d) = small_fraction(rng, 10), small_fraction(rng, 10)
        lines, num, den = fraction_product(a, b, c, d)
        text = plain(rng, "\\frac{%d}{%d} \\times \\frac{%d}{%d}" % (a, b, c, d))
        return f"{a}/{b}*{c}/{d}", text, lines, fraction_text(num, den)
    return rng.choice([story_change, story_groups, story_price])(rng, 300)


def level_4(rng):
    """Longer than what the model is trained to do well: it should fail often."""
    kind = rng.randrange(3)
    if kind == 0:
        a, b = rng.randrange(100, 1000), rng.randrange(100, 1000)
        return f"{a}*{b}", plain(rng, f"{a} \\times {b}"), mul(a, b), str(a * b)
    if kind == 1:
        (a, b), (c, d) = small_fraction(rng, 40), small_fraction(rng, 40)
        sign = rng.choice("+-")
        lines, num, den = fraction_sum(a, b, c, d, sign)
        text = plain(rng, "\\frac{%d}{%d} %s \\frac{%d}{%d}" % (a, b, sign, c, d))
        return f"{a}/{b}{sign}{c}/{d}", text, lines, fraction_text(num, den)
    a, b, c = rng.randrange(20, 100), rng.randrange(20, 100), rng.randrange(1000, 10000)
    text = plain(rng, f"{a} \\times {b} + {c}")
    return f"{a}*{b}+{c}", text, mul(a, b) + add(a * b, c), str(a * b + c)


LEVELS = [level_1, level_2, level_3, level_4]


def problem(rng, level, held_back):
    while True:
        key, text, lines, answer = LEVELS[level - 1](rng)
        if is_held_back(key) == held_back:
            return {"prompt": text, "answer": answer, "level": level, "key": key, "steps": lines}


def response(p):
    return "<think>\n" + "\n".join(p["steps"]) + "\n</think>\nThe answer is \\boxed{" + p["answer"] + "}."


def evaluation_set(per_level, seed):
    rng, rows, seen = random.Random(seed), [], set()
    for level in range(1, len(LEVELS) + 1):
        n = 0
        while n < per_level:
            p = problem(rng, level, held_back=True)
            if p["key"] in seen:
                continue
            seen.add(p["key"])
            rows.append({k: p[k] for k in ("prompt", "answer", "level", "key")})
            n += 1
    return rows


if __name__ == "__main__":
    import json
    import sys

    with open(sys.argv[1], "w", encoding="utf-8") as f:
        for row in evaluation_set(50, seed=20260101):
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
