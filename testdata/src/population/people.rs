//! Households and the people in them.
//!
//! In: contact numbers. Out: one [`Person`] each, in order, with the stream its records are drawn from. Households
//! are formed inside blocks of [`BLOCK`] consecutive contacts, so that a range of contacts is made without looking at
//! any other. Can never happen: a guardian of another household, a child older than its parent.

use super::dice::{Dice, Domain};
use super::names::{self, Culture};
use super::places::{self, Place};
use super::scribe::Frame;

/// Contacts among whom households are formed.
pub(super) const BLOCK: u64 = 16;

/// Typical income of each status, in hundredths per year.
const INCOMES: [i64; 5] = [1_400_000, 3_200_000, 6_000_000, 10_500_000, 21_000_000];

/// Days in four years.
const FOUR_YEARS: i32 = 1_461;

/// What the members of a household share.
#[derive(Clone, Copy)]
pub(super) struct Home {
    /// Number of the first member, which names the household.
    pub(super) number: u64,
    pub(super) size: u32,
    pub(super) shape: Shape,
    pub(super) place: Place,
    pub(super) culture: Culture,
    pub(super) surname: &'static str,
    pub(super) street: &'static str,
    pub(super) house: u32,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) language: &'static str,
    /// Socio-economic status from 0, low, to 4, high.
    pub(super) tier: u32,
    /// Money per year in hundredths.
    pub(super) income: i64,
    /// Age of the youngest member when that is a child.
    pub(super) youngest_child: Option<i32>,
}

/// How a household is composed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Single,
    ElderSingle,
    Couple,
    ElderCouple,
    Family,
    SingleParent,
    Shared,
}

/// One contact.
pub(super) struct Person {
    pub(super) number: u64,
    /// contact_id.
    pub(super) id: String,
    pub(super) home: Home,
    /// Anatomy, which decides on conditions and screening; gender usually agrees.
    pub(super) female: bool,
    pub(super) birth: i32,
    /// Completed years at as_of or at death.
    pub(super) age: i32,
    pub(super) deceased: Option<i32>,
    /// Number of the guardian of a minor.
    pub(super) guardian: Option<u64>,
    pub(super) first_name: &'static str,
    pub(super) email: Option<String>,
    pub(super) has_phone: bool,
    pub(super) has_address: bool,
    pub(super) insurance: &'static str,
    pub(super) payer: &'static str,
    /// Day on which the person joined, maybe long before history begins.
    pub(super) joined: i32,
    /// First and last day on which records can lie.
    pub(super) start: i32,
    pub(super) stop: i32,
    /// How much the person does: heavy-tailed, 1 in the middle.
    pub(super) activity: f64,
    /// Probability of missing an appointment.
    pub(super) no_show: f64,
    /// Number of the usual provider at the site.
    pub(super) provider: u32,
}

impl Person {
    /// Completed years, roughly, on a day of history.
    pub(super) const fn age_on(&self, day: i32) -> i32 {
        years_between(self.birth, day)
    }

    /// The person has joined within the last `days` days.
    pub(super) const fn joined_within(&self, frame: &Frame, days: i32) -> bool {
        self.joined > frame.today - days
    }
}

const fn years_between(from: i32, to: i32) -> i32 {
    (to - from) * 4 / FOUR_YEARS
}

/// Calls `with` for the contacts first..end in order; `first` is a multiple of [`BLOCK`].
pub(super) fn each(frame: &Frame, first: u64, end: u64, mut with: impl FnMut(&Person, &mut Dice)) {
    let mut block = first;
    while block < end {
        let stop = block + BLOCK;
        let mut number = block;
        while number < stop {
            let (home, ages) = household(frame, number, stop - number);
            let mut eldest_email = None;
            for (place, age) in ages.iter().enumerate() {
                if number >= end {
                    return;
                }
                let mut dice = Dice::new(frame.seed, Domain::Contact, number);
                let person = person(frame, &mut dice, home, number, place, *age, eldest_email.as_deref());
                if place == 0 {
                    eldest_email.clone_from(&person.email);
                }
                with(&person, &mut dice);
                number += 1;
            }
        }
        block = stop;
    }
}

/// The household that starts at this number and the ages of its members; at least one, at most `room`.
fn household(frame: &Frame, number: u64, room: u64) -> (Home, Vec<i32>) {
    let dice = &mut Dice::new(frame.seed, Domain::Household, number);
    let shape = dice.weighted(&[
        (26, Shape::Single),
        (13, Shape::ElderSingle),
        (19, Shape::Couple),
        (12, Shape::ElderCouple),
        (20, Shape::Family),
        (7, Shape::SingleParent),
        (3, Shape::Shared),
    ]);
    let mut ages = members(dice, shape);
    ages.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    let place = places::place(dice);
    let culture = culture(dice, &place);
    let tier = tier(dice, culture, shape);
    // Income follows status, with one household in five out of step.
    let stray = dice.pick(&INCOMES);
    let usual = INCOMES.get(tier as usize).copied().unwrap_or(stray);
    let middle = if dice.percent(20) { stray } else { usual };
    let home = Home {
        number,
        size: u32::try_from(ages.len()).unwrap_or(u32::MAX),
        shape,
        place,
        culture,
        surname: names::surname(dice, culture),
        street: names::street(dice),
        house: 1 + dice.below(2_400),
        latitude: rounded(place.latitude + dice.normal() * 0.02),
        longitude: rounded(place.longitude + dice.normal() * 0.025),
        language: language(dice, culture, &place),
        tier,
        income: (middle as f64 * (0.6 + 0.8 * dice.unit())) as i64 / 10_000 * 10_000,
        youngest_child: ages.iter().copied().filter(|age| *age < 18).min(),
    };
    (home, ages)
}

/// Five decimals: about a metre.
fn rounded(degrees: f64) -> f64 {
    (degrees * 100_000.0).round() / 100_000.0
}

fn members(dice: &mut Dice, shape: Shape) -> Vec<i32> {
    let mut between = |low: i32, high: i32| dice.day(low, high);
    match shape {
        Shape::Single => vec![between(18, 64)],
        // The sum of two draws makes the very old rare.
        Shape::ElderSingle => vec![65 + between(0, 16) + between(0, 18)],
        Shape::Couple => {
            let head = between(22, 64);
            vec![head, (head + between(-5, 5)).max(19)]
        }
        Shape::ElderCouple => {
            let head = 65 + between(0, 11) + between(0, 14);
            vec![head, (head + between(-5, 4)).max(62)]
        }
        Shape::Family | Shape::SingleParent => {
            let head = between(22, 52);
            let mut ages = vec![head];
            if shape == Shape::Family {
                ages.push((head + between(-4, 4)).max(20));
            }
            let children = 1 + between(0, 2) * between(0, 1) + between(0, 1);
            for _ in 0..children {
                ages.push(between((head - 42).max(0), (head - 19).min(17)));
            }
            if between(1, 100) <= 8 {
                ages.push(head + between(24, 34));
            }
            ages
        }
        Shape::Shared => vec![between(18, 32), between(18, 34), between(19, 40)],
    }
}

fn culture(dice: &mut Dice, place: &Place) -> Culture {
    let (hispanic, black, asian) = (place.hispanic * 10, place.black * 9, place.asian * 10);
    let rest = 1_000_u32.saturating_sub(hispanic + black + asian);
    dice.weighted(&[
        (hispanic, Culture::Hispanic),
        (black, Culture::Black),
        (asian, Culture::Asian),
        (14, Culture::Native),
        (6, Culture::Pacific),
        (25, Culture::Several),
        (15, Culture::Other),
        (rest, Culture::White),
    ])
}

fn tier(dice: &mut Dice, culture: Culture, shape: Shape) -> u32 {
    let lower = match culture {
        Culture::White | Culture::Asian | Culture::Other | Culture::Several => 0,
        Culture::Black | Culture::Hispanic | Culture::Native | Culture::Pacific => 8,
    } + if shape == Shape::SingleParent { 12 } else { 0 };
    dice.weighted(&[(14 + lower, 0), (22 + lower, 1), (34, 2), (20, 3), (10, 4)])
}

fn language(dice: &mut Dice, culture: Culture, place: &Place) -> &'static str {
    let spanish = if place.state == "PR" { 92 } else { 45 };
    match culture {
        Culture::Hispanic => dice.weighted(&[(spanish, "es"), (100 - spanish, "en")]),
        Culture::Asian => dice.weighted(&[
            (52, "en"),
            (18, "zh"),
            (9, "vi"),
            (8, "tl"),
            (6, "ko"),
            (4, "hi"),
            (2, "ja"),
            (1, "bn"),
        ]),
        Culture::Black => dice.weighted(&[(93, "en"), (4, "ht"), (1, "so"), (1, "am"), (1, "fr")]),
        Culture::Native => dice.weighted(&[(92, "en"), (8, "nv")]),
        Culture::Pacific => dice.weighted(&[(80, "en"), (12, "sm"), (8, "ch")]),
        Culture::White | Culture::Several | Culture::Other => {
            dice.weighted(&[(944, "en"), (20, "pt"), (10, "ru"), (8, "ar"), (6, "pl"), (6, "es"), (6, "fr")])
        }
    }
}

fn person(
    frame: &Frame,
    dice: &mut Dice,
    home: Home,
    number: u64,
    place: usize,
    age: i32,
    eldest_email: Option<&str>,
) -> Person {
    let minor = age < 18;
    // Couples are mostly of two sexes; everyone else is drawn.
    let paired = matches!(home.shape, Shape::Couple | Shape::ElderCouple | Shape::Family) && place < 2;
    let female = if paired && dice.percent(95) {
        (home.number + place as u64).is_multiple_of(2)
    } else {
        dice.chance(if age >= 75 { 0.6 } else { 0.505 })
    };
    let first_name = names::given(dice, home.culture, female);
    let birth = frame.today - age * FOUR_YEARS / 4 - dice.day(0, 364) - 1;
    let deceased = death(frame, dice, age);
    let email = email(dice, &home, number, age, first_name, eldest_email);
    let (insurance, payer) = insurance(dice, age, home.tier);
    let joined = match dice.below(1_000) {
        0..28 => frame.today - dice.day(0, 29),
        28..360 => dice.day(frame.first, frame.today),
        _ => frame.first - dice.day(0, 4_000),
    };
    let joined = joined.max(birth).min(deceased.unwrap_or(frame.today));
    let stop = deceased.unwrap_or(frame.today);
    let quiet = dice.percent(9);
    let activity = dice.heavy() * if quiet { 0.03 } else { 1.4 };
    let careless = dice.unit();
    Person {
        number,
        id: format!("P{number:08}"),
        home,
        female,
        birth,
        age: years_between(birth, stop),
        deceased,
        guardian: (minor && place > 0).then_some(home.number),
        first_name,
        email,
        has_phone: !minor && dice.percent(94) || minor && dice.percent(45),
        has_address: dice.percent(97),
        insurance,
        payer,
        joined,
        start: joined.max(frame.first).max(birth),
        stop,
        activity,
        no_show: 0.02 + 0.5 * careless * careless * careless * careless,
        provider: 1 + dice.below(12),
    }
}

fn death(frame: &Frame, dice: &mut Dice, age: i32) -> Option<i32> {
    let per_mille = match age {
        ..18 => 1,
        18..65 => 4,
        65..80 => 25,
        _ => 110,
    };
    (dice.below(1_000) < per_mille).then(|| dice.day(frame.first + 1, frame.today)).filter(|_| age >= 4)
}

fn email(
    dice: &mut Dice,
    home: &Home,
    number: u64,
    age: i32,
    first_name: &str,
    eldest_email: Option<&str>,
) -> Option<String> {
    let own = match age {
        ..16 => 0,
        16..18 => 30,
        18..65 => 93,
        _ => 82,
    };
    if dice.percent(own) {
        let letters = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
        };
        return Some(format!("{}.{}.{number}@example.test", letters(first_name), letters(home.surname)));
    }
    // Parents give their own address for their children.
    if age < 18 && dice.percent(55) { eldest_email.map(str::to_owned) } else { None }
}

fn insurance(dice: &mut Dice, age: i32, tier: u32) -> (&'static str, &'static str) {
    let kind = if age >= 65 {
        dice.weighted(&[
            (48, "medicare"),
            (41, "medicare_advantage"),
            (7, "commercial"),
            (3, "medicaid"),
            (1, "military"),
        ])
    } else {
        let medicaid =
            [52, 30, 8, 2, 1].get(tier as usize).copied().unwrap_or(0) + if age < 18 { 14 } else { 0 };
        let uninsured = [14, 10, 5, 3, 1].get(tier as usize).copied().unwrap_or(0);
        dice.weighted(&[
            (medicaid, "medicaid"),
            (uninsured, "uninsured"),
            (78 - medicaid, "commercial"),
            (4, "military"),
            (3, "self_pay"),
            (2, "medicare"),
        ])
    };
    let payer = match kind {
        "commercial" => {
            dice.zipf(&["Blue Harbor", "Unity Health Plan", "Atlas Mutual", "Northern Shield", "Cobalt Care"])
        }
        "medicare" => "Medicare",
        "medicare_advantage" => dice.zipf(&["Silver Pine Advantage", "Blue Harbor Advantage", "Elderwell"]),
        "medicaid" => dice.zipf(&["State Medicaid", "Community First", "CarePath Medicaid"]),
        "military" => "Service Health",
        _ => "",
    };
    (kind, payer)
}
