//! Words that invented people and addresses are made of: common given names and surnames, drawn apart from each other.

use super::dice::Dice;

/// A name from the lists that go with a culture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Culture {
    /// European and others.
    #[default]
    White,
    /// African American and Caribbean.
    Black,
    /// Hispanic of any race.
    Hispanic,
    /// East and South Asian.
    Asian,
    /// First peoples.
    Native,
    /// Pacific islands.
    Pacific,
    /// More than one.
    Several,
    /// Another one.
    Other,
}

/// A given name.
pub(super) fn given(dice: &mut Dice, culture: Culture, female: bool) -> &'static str {
    let own = match culture {
        Culture::Hispanic => 65,
        Culture::Asian => 40,
        Culture::White
        | Culture::Black
        | Culture::Native
        | Culture::Pacific
        | Culture::Several
        | Culture::Other => 0,
    };
    let list = match (dice.percent(own), culture, female) {
        (true, Culture::Hispanic, true) => HISPANIC_WOMEN,
        (true, Culture::Hispanic, false) => HISPANIC_MEN,
        (true, _, true) => ASIAN_WOMEN,
        (true, _, false) => ASIAN_MEN,
        (false, _, true) => WOMEN,
        (false, _, false) => MEN,
    };
    dice.zipf(list)
}

/// A surname.
pub(super) fn surname(dice: &mut Dice, culture: Culture) -> &'static str {
    let list = match culture {
        Culture::Hispanic => HISPANIC_SURNAMES,
        Culture::Asian => ASIAN_SURNAMES,
        Culture::White
        | Culture::Black
        | Culture::Native
        | Culture::Pacific
        | Culture::Several
        | Culture::Other => SURNAMES,
    };
    dice.zipf(list)
}

/// A street.
pub(super) fn street(dice: &mut Dice) -> &'static str {
    dice.zipf(STREETS)
}

#[rustfmt::skip]
const WOMEN: &[&str] = &[
    "Mary", "Emma", "Linda", "Olivia", "Susan", "Ava", "Karen", "Sophia", "Nancy", "Grace", "Betty", "Hannah",
    "Sandra", "Chloe", "Ashley", "Ruth", "Donna", "Ella", "Carol", "Megan", "Laura", "Rachel", "Janet", "Alice",
    "Diane", "Naomi", "Joyce", "Vera", "Paula", "Nora", "Irene", "Tanya", "Zoë", "Anne-Marie", "Bea", "Imani",
    "Keisha", "Leilani", "Aponi", "Wilhelmina",
];

#[rustfmt::skip]
const MEN: &[&str] = &[
    "James", "Liam", "Robert", "Noah", "John", "Lucas", "David", "Henry", "William", "Owen", "Thomas", "Jack",
    "Mark", "Ethan", "Paul", "Caleb", "Steven", "Isaac", "Kevin", "Aaron", "Brian", "Adam", "George", "Peter",
    "Edward", "Simon", "Frank", "Victor", "Roy", "Carl", "Eugene", "Darnell", "Jamal", "Malik", "Keoni", "Renée",
    "Jean-Luc", "D'Andre", "Magnus", "Ulysses",
];

#[rustfmt::skip]
const HISPANIC_WOMEN: &[&str] = &[
    "Maria", "Sofía", "Ana", "Camila", "Carmen", "Lucía", "Rosa", "Elena", "Isabel", "Gabriela", "Teresa",
    "Marisol", "Daniela", "Pilar", "Ximena",
];

#[rustfmt::skip]
const HISPANIC_MEN: &[&str] = &[
    "José", "Juan", "Luis", "Carlos", "Miguel", "Jorge", "Mateo", "Diego", "Rafael", "Manuel", "Pedro", "Andrés",
    "Héctor", "Iker", "Joaquín",
];

#[rustfmt::skip]
const ASIAN_WOMEN: &[&str] = &[
    "Mei", "Priya", "Linh", "Yuna", "Anjali", "Xiu", "Hana", "Thuy", "Divya", "Jisoo", "Lakshmi", "Rosario",
];

#[rustfmt::skip]
const ASIAN_MEN: &[&str] = &[
    "Wei", "Raj", "Minh", "Jun", "Arjun", "Hao", "Kenji", "Duc", "Vikram", "Hyun", "Ravi", "Amado",
];

#[rustfmt::skip]
const SURNAMES: &[&str] = &[
    "Smith", "Johnson", "Brown", "Williams", "Jones", "Miller", "Davis", "Wilson", "Anderson", "Taylor", "Moore",
    "Jackson", "Martin", "Lee", "Thompson", "White", "Harris", "Clark", "Lewis", "Robinson", "Walker", "Hall",
    "Young", "King", "Wright", "Hill", "Green", "Adams", "Baker", "Nelson", "Carter", "Mitchell", "Roberts",
    "Turner", "Phillips", "Campbell", "Parker", "Evans", "Edwards", "Collins", "Stewart", "Morris", "Rogers",
    "Reed", "Cook", "Morgan", "Bell", "Murphy", "Bailey", "Cooper", "Richardson", "Cox", "Howard", "Ward",
    "O'Brien", "Kowalski", "Novak", "Schmidt", "Rossi", "Haddad", "Silva", "MacLeod", "Van Dyke", "St. Clair",
    "Begay", "Kealoha", "Abernathy-Jones", "Quill",
];

#[rustfmt::skip]
const HISPANIC_SURNAMES: &[&str] = &[
    "Garcia", "Rodriguez", "Martinez", "Hernandez", "Lopez", "Gonzalez", "Perez", "Sanchez", "Ramirez", "Torres",
    "Flores", "Rivera", "Gomez", "Diaz", "Cruz", "Morales", "Ortiz", "Gutierrez", "Núñez", "Peña", "Figueroa",
];

#[rustfmt::skip]
const ASIAN_SURNAMES: &[&str] = &[
    "Nguyen", "Chen", "Patel", "Kim", "Wang", "Tran", "Singh", "Li", "Park", "Zhang", "Santos", "Sharma", "Liu",
    "Reyes", "Pham", "Shah", "Choi", "Tanaka", "Bautista", "Rao",
];

#[rustfmt::skip]
const STREETS: &[&str] = &[
    "Main St", "Oak St", "Maple Ave", "Park Ave", "Cedar Ln", "Elm St", "Washington St", "Lake Dr", "Hill Rd",
    "Pine St", "River Rd", "Spring St", "Church St", "Highland Ave", "Meadow Ln", "Chestnut St", "Mill Rd",
    "Willow Ct", "Orchard Way", "Harbor Blvd", "Quarry Rd", "St. Mary's Pl",
];
