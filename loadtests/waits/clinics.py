"""The clinics: half to build the estimator on, half to judge it on.

The author of the estimator looks at the clinics to build on only. The clinics of one kind have other parameters in each
half. The clinics of each half were set before a new estimator played them: the first eleven of each in November 2026, five
to build on and six to judge on at the beginning of December (``docs/waits.md`` names them).
"""

from __future__ import annotations

from loadtests.waits.clinic import Bookings, Clinic, Doctor, Line, Pace, Post, Rest
from loadtests.waits.laws import Exponential, Lognormal, Normal, Plus, Uniform, two_kinds

SHARP = Uniform(480, 480.2)  # the staff begin at eight

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
            Post(
                begins=SHARP, coffee_share=0.05, coffee=Lognormal(16, 0.5), rests=(Rest(Normal(750, 15), Uniform(20, 40)),)
            ),
        ),
        rates=((480, 10), (540, 13), (690, 8), (810, 13), (960, 0)),
    ),
    Clinic(
        name="mixture",
        half="build",
        lines=(Line(Lognormal(8, 0.6), urgent_law=Lognormal(11, 0.6)),),
        posts=(
            Post(
                begins=Plus(480, Normal(22, 9)),
                pause=Lognormal(1.7, 0.5),
                coffee_share=0.05,
                rests=(Rest(Normal(740, 15), Lognormal(30, 0.3)),),
                roster=((0, (Doctor("Ada", 0.9), Doctor("Bo", 1.15))),),
            ),
            Post(
                begins=Plus(480, Uniform(-5, 15)),
                pause=Lognormal(2.2, 0.4),
                coffee_share=0.07,
                marks=False,
                roster=((0, (Doctor("Cy", 1.0, Pace(keeps=0.97, deviation=0.06, day_deviation=0.1)),)),),
            ),
        ),
        rates=((440, 5), (480, 6), (600, 8), (720, 5), (840, 7), (960, 0)),
        shares=(("urgent", 0.1), ("emergency", 0.01)),
        bookings=(Bookings(30, 510, 930, Normal(-6, 6), missing=0.08),),
        no_show=0.05,
        leaving=0.04,
    ),
    Clinic(
        name="drifting pace",
        half="build",
        lines=(Line(Lognormal(8, 0.5)),),
        posts=(
            Post(begins=SHARP, roster=((0, (Doctor("Ada", 1.0, Pace(keeps=0.98, deviation=0.08, day_deviation=0.15)),)),)),
            Post(begins=SHARP, roster=((0, (Doctor("Bo", 1.0, Pace(keeps=0.95, deviation=0.1)),)),)),
        ),
        rates=((480, 12), (540, 15), (690, 9), (810, 14), (960, 0)),
    ),
    Clinic(
        name="two queues",
        half="build",
        lines=(Line(two_kinds(4, 16, 0.3), share=0.6), Line(Lognormal(10, 0.5), share=0.4)),
        posts=(
            Post(lines=(0,), begins=SHARP, roster=((0, (Doctor("Ada", 0.8),)),)),
            Post(lines=(0, 1), begins=SHARP, roster=((0, (Doctor("Bo", 1.0),)),)),
            Post(lines=(1,), begins=SHARP, roster=((0, (Doctor("Cy", 1.3),)),)),
        ),
        rates=((480, 14), (540, 21), (690, 13), (810, 20), (960, 0)),
    ),
    Clinic(
        name="heavy line",
        half="build",
        lines=(Line(Exponential(6)),),
        posts=(Post(begins=SHARP),) * 3,
        rates=((450, 66), (480, 60), (540, 40), (600, 29), (780, 0)),
        load=Uniform(0.93, 1.07),
    ),
    Clinic(
        name="comings and goings",
        half="build",
        lines=(Line(Lognormal(7, 0.6)),),
        posts=(
            Post(begins=SHARP, opened=True),
            Post(begins=Normal(540, 8), ends=Normal(700, 10), opened=True),
            Post(begins=Normal(800, 8), ends=Normal(930, 10), opened=True),
        ),
        rates=((480, 7), (540, 15), (700, 6), (780, 14), (900, 6), (960, 0)),
        no_show=0.06,
        leaving=0.06,
    ),
    Clinic(
        name="doctors by shift",
        half="build",
        lines=(Line(Lognormal(8, 0.5)),),
        posts=(
            Post(
                begins=SHARP,
                roster=((0, (Doctor("Ada", 0.7), Doctor("Bo", 1.25))), (780, (Doctor("Cy", 1.2), Doctor("Di", 0.8)))),
            ),
            Post(begins=SHARP, roster=((0, (Doctor("Ed", 1.1), Doctor("Flo", 0.75), Doctor("Gus", 1.3))),)),
        ),
        rates=((480, 12), (540, 16), (690, 9), (810, 15), (960, 0)),
    ),
    Clinic(
        name="quiet doctor",
        half="build",
        lines=(Line(Lognormal(11, 0.5)),),
        posts=(Post(begins=SHARP, reaction=Lognormal(1.6, 0.6)),),
        rates=((480, 4), (600, 3), (780, 4), (960, 0)),
        no_show=0.08,
    ),
    Clinic(
        name="seven very short",
        half="build",
        lines=(Line(Lognormal(1.4, 0.5), share=0.7), Line(Lognormal(2.3, 0.4), share=0.3)),
        posts=(Post(lines=(0, 1), begins=SHARP),) * 7,
        rates=((480, 190), (525, 255), (585, 170), (615, 0)),
    ),
    Clinic(
        name="many leave",
        half="build",
        lines=(Line(Lognormal(8, 0.6)),),
        posts=(Post(begins=SHARP), Post(begins=SHARP)),
        rates=((480, 14), (540, 22), (690, 12), (810, 20), (960, 0)),
        leaving=0.28,
        leaving_law=Uniform(4, 50),
    ),
    Clinic(
        name="unannounced breaks",
        half="build",
        lines=(Line(two_kinds(4, 12, 0.35), share=0.6), Line(Lognormal(8, 0.5), share=0.4)),
        posts=(
            Post(lines=(0, 1), begins=SHARP, coffee_share=0.07, coffee=Lognormal(13, 0.5), marks=False),
            Post(lines=(0, 1), begins=SHARP, coffee_share=0.05, coffee=Lognormal(18, 0.4), marks=False),
        ),
        rates=((480, 10), (540, 13), (690, 7), (810, 12), (960, 0)),
    ),
)

JUDGE = (
    Clinic(
        name="late doctors",
        half="judge",
        lines=(Line(Lognormal(7, 0.7)),),
        posts=(Post(begins=Plus(480, Normal(25, 11))), Post(begins=Plus(480, Normal(25, 6)))),
        rates=((420, 11), (480, 9), (540, 12.5), (690, 7), (810, 13), (990, 0)),
    ),
    Clinic(
        name="urgent and booked",
        half="judge",
        lines=(Line(Lognormal(11, 0.5), urgent_law=Lognormal(14, 0.5)),),
        posts=(Post(begins=SHARP),) * 3,
        rates=((480, 9), (540, 12), (690, 7), (810, 12), (960, 0)),
        shares=(("urgent", 0.12), ("emergency", 0.01)),
        bookings=(Bookings(20, 490, 950, Normal(-5, 10), missing=0.12),),
    ),
    Clinic(
        name="pause between",
        half="judge",
        lines=(Line(Exponential(5)),),
        posts=(Post(begins=SHARP, pause=Lognormal(2, 0.4)),) * 3,
        rates=((480, 17), (540, 24), (660, 15), (780, 23), (930, 0)),
    ),
    Clinic(
        name="six very short",
        half="judge",
        lines=(Line(two_kinds(1.2, 4, 0.2)),),
        posts=(Post(begins=SHARP),) * 6,
        rates=((480, 160), (510, 225), (555, 130), (600, 0)),
    ),
    Clinic(
        name="breaks without a plan",
        half="judge",
        lines=(Line(two_kinds(5, 15, 0.25)),),
        posts=(
            Post(begins=SHARP, coffee_share=0.1, coffee=Lognormal(9, 0.7), marks=False),
            Post(
                begins=SHARP,
                coffee_share=0.04,
                coffee=Lognormal(25, 0.4),
                rests=(Rest(Normal(720, 25), Lognormal(25, 0.4)),),
            ),
        ),
        rates=((480, 11), (540, 15), (690, 8), (810, 14), (960, 0)),
    ),
    Clinic(
        name="all together",
        half="judge",
        lines=(Line(Lognormal(7, 0.6), urgent_law=Lognormal(10, 0.5)),),
        posts=(
            Post(
                begins=Plus(480, Normal(25, 10)),
                pause=Lognormal(2, 0.4),
                coffee_share=0.06,
                rests=(Rest(Normal(730, 20), Lognormal(28, 0.3)),),
                roster=((0, (Doctor("Ada", 0.85), Doctor("Bo", 1.1))),),
            ),
            Post(
                begins=Plus(480, Uniform(0, 16)),
                pause=Lognormal(1.6, 0.6),
                coffee_share=0.08,
                coffee=Lognormal(8, 0.6),
                marks=False,
                roster=((0, (Doctor("Cy", 1.05, Pace(keeps=0.97, deviation=0.06, day_deviation=0.12)),)),),
            ),
            Post(
                begins=Normal(600, 8),
                ends=Normal(840, 12),
                pause=Lognormal(2, 0.4),
                opened=True,
                roster=((0, (Doctor("Di", 1.25),)),),
            ),
        ),
        rates=((435, 6), (480, 6), (600, 9), (840, 5), (960, 0)),
        shares=(("urgent", 0.1), ("emergency", 0.01), ("assisted", 0.04)),
        bookings=(Bookings(20, 500, 940, Normal(-7, 8), missing=0.1),),
        no_show=0.04,
        leaving=0.04,
    ),
    Clinic(
        name="two kinds of service",
        half="judge",
        lines=(Line(two_kinds(4, 20, 0.25)),),
        posts=(Post(begins=SHARP),) * 3,
        rates=((480, 19), (540, 25), (690, 15), (810, 24), (960, 0)),
    ),
    Clinic(
        name="change of doctor",
        half="judge",
        lines=(Line(Lognormal(7.5, 0.5)),),
        posts=(
            Post(
                begins=SHARP,
                roster=(
                    (0, (Doctor("Ada", 0.75), Doctor("Bo", 1.2))),
                    (750, (Doctor("Cy", 1.0, Pace(keeps=0.97, deviation=0.07)),)),
                ),
            ),
            Post(
                begins=SHARP,
                roster=((0, (Doctor("Di", 1.0, Pace(day_deviation=0.2)), Doctor("Ed", 1.25), Doctor("Flo", 0.9))),),
            ),
        ),
        rates=((480, 12), (540, 14), (690, 10), (810, 14), (960, 0)),
    ),
    Clinic(
        name="long line",
        half="judge",
        lines=(Line(Lognormal(5, 0.6)),),
        posts=(Post(begins=SHARP),) * 4,
        rates=((450, 76), (480, 78), (540, 45), (600, 38), (720, 20), (780, 0)),
        load=Uniform(0.93, 1.07),
        no_show=0.05,
        leaving=0.04,
    ),
    Clinic(
        name="opening and closing",
        half="judge",
        lines=(Line(Lognormal(6, 0.6), share=0.55), Line(Exponential(9), share=0.45)),
        posts=(
            Post(lines=(0, 1), begins=SHARP, opened=True),
            Post(lines=(1,), begins=Normal(540, 10), ends=Normal(840, 10), opened=True),
            Post(lines=(0,), begins=Normal(525, 10), opened=True, rests=(Rest(Normal(735, 10), Uniform(25, 35)),)),
            Post(lines=(0, 1), begins=Normal(600, 15), ends=Normal(720, 15), opened=True),
        ),
        rates=((480, 9), (540, 21), (600, 28), (720, 17), (840, 10), (960, 0)),
    ),
    Clinic(
        name="quiet",
        half="judge",
        lines=(Line(Lognormal(12, 0.5)),),
        posts=(Post(begins=Plus(480, Uniform(0, 10)), reaction=Uniform(0.2, 1.8), pause=Lognormal(1, 0.4)),),
        rates=((475, 2.5), (600, 3.2), (780, 2.2), (960, 0)),
        load=Uniform(0.6, 1.4),
        no_show=0.08,
    ),
    Clinic(
        name="shifts of doctors",
        half="judge",
        lines=(Line(Lognormal(10, 0.45)),),
        posts=(
            Post(begins=SHARP, roster=((0, (Doctor("Hal", 1.3), Doctor("Ida", 0.8), Doctor("Jon", 1.0))),)),
            Post(begins=SHARP, roster=((0, (Doctor("Kim", 0.85),)), (720, (Doctor("Lea", 1.3), Doctor("Max", 0.75))))),
            Post(begins=SHARP, roster=((0, (Doctor("Nia", 1.2), Doctor("Oli", 0.9))), (840, (Doctor("Pam", 0.7),)))),
        ),
        rates=((480, 15), (555, 18), (690, 11), (795, 17), (960, 0)),
    ),
    Clinic(
        name="one slow to notice",
        half="judge",
        lines=(Line(Lognormal(9, 0.6)),),
        posts=(Post(begins=Plus(480, Uniform(0, 8)), reaction=Lognormal(1.1, 0.8)),),
        rates=((480, 3), (630, 5), (720, 2.5), (840, 4), (990, 0)),
        no_show=0.12,
    ),
    Clinic(
        name="eight in a hurry",
        half="judge",
        lines=(Line(Lognormal(1.2, 0.4), share=0.6), Line(Lognormal(2.6, 0.6), share=0.4)),
        posts=(Post(lines=(0, 1), begins=SHARP),) * 5 + (Post(lines=(1,), begins=SHARP),) * 3,
        rates=((480, 180), (540, 235), (600, 160), (630, 0)),
    ),
    Clinic(
        name="impatient",
        half="judge",
        lines=(Line(Lognormal(10, 0.5)),),
        posts=(Post(begins=SHARP), Post(begins=SHARP), Post(begins=Plus(480, Normal(15, 5)))),
        rates=((465, 14), (540, 24), (660, 15), (780, 23), (960, 0)),
        no_show=0.04,
        leaving=0.22,
        leaving_law=Lognormal(25, 0.6),
    ),
    Clinic(
        name="away without a word",
        half="judge",
        lines=(Line(Lognormal(6, 0.5), share=0.5), Line(Lognormal(9, 0.6), share=0.5)),
        posts=(
            Post(lines=(0, 1), begins=SHARP, coffee_share=0.05, coffee=Lognormal(16, 0.6), marks=False),
            Post(lines=(0,), begins=SHARP, coffee_share=0.08, coffee=Lognormal(9, 0.5), marks=False),
            Post(lines=(1,), begins=SHARP, rests=(Rest(Uniform(690, 800), Uniform(15, 45)),), marks=False),
        ),
        rates=((480, 15), (555, 18), (690, 11), (810, 16), (960, 0)),
    ),
    Clinic(
        name="home while others wait",
        half="judge",
        lines=(Line(Lognormal(8, 0.5)),),
        posts=(
            Post(begins=SHARP, opened=True),
            Post(begins=SHARP, ends=Normal(760, 12), opened=True),
            Post(begins=Normal(600, 10), ends=Normal(900, 15), opened=True),
        ),
        rates=((480, 14), (600, 20), (750, 13), (885, 7), (960, 0)),
        leaving=0.05,
    ),
)
CLINICS = (*BUILD, *JUDGE)
