//! The registry of diagnostic codes: `HS01` names, `HS02` syntax, `HS03` types, `HS04` windows and values, `HS05`
//! declarations, `HS06` the JSON form, `HS09` lints. A code keeps its meaning for good; a code that is given up is not used again.

use super::{Severity, pages};

/// What a code stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The code, e.g. `HS0101`.
    pub code: &'static str,
    /// Weight of every finding under it.
    pub severity: Severity,
    /// A few words.
    pub title: &'static str,
    /// Why it is reported and how to mend it.
    pub explanation: &'static str,
}

impl Rule {
    /// Its page, Markdown: heading, explanation, an example that is wrong and one that is right. Every rule has one.
    #[must_use]
    pub fn page(&self) -> &'static str {
        pages::of(self.code).unwrap_or("")
    }
}

/// The rule of a code, in any case.
#[must_use]
pub fn rule(code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.code.eq_ignore_ascii_case(code)).copied()
}

macro_rules! rules {
    ($($name:ident = $code:literal $severity:ident $title:literal: $explanation:literal;)+) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            pub static $name: Rule = Rule {
                code: $code,
                severity: Severity::$severity,
                title: $title,
                explanation: $explanation,
            };
        )+

        /// Every rule, by code.
        pub static ALL: &[&Rule] = &[$(&$name),+];
    };
}

rules! {
    UNKNOWN_FIELD = "HS0101" Error "unknown contact field":
        "The name is not a field of contacts. `hyperseg fields` lists them. A record's fields stand inside the parentheses of its kind: `has lab(value > 9)`.";
    UNKNOWN_RECORD = "HS0102" Error "unknown record kind":
        "`has`, `no`, `latest` and `earliest` are followed by a kind of record, such as `procedure` or `email_open`; inside of `count(...)` and `sum(...)` one stands too.";
    UNKNOWN_RECORD_FIELD = "HS0103" Error "unknown field of a record":
        "The parentheses behind a kind of record test the fields of that kind, and only those.";
    UNKNOWN_CATEGORY = "HS0104" Error "unknown category":
        "The field has a closed list of categories and this is not one of them. A misspelt category would select nobody, or everybody under `not`, so it does not compile.";
    UNKNOWN_SYSTEM = "HS0105" Error "unknown code system":
        "Code systems are ICD10CM, ICD10PCS, SNOMED, RXNORM, LOINC, CVX, CPT, HCPCS, NDC, ATC and OMOP.";
    UNKNOWN_PURPOSE = "HS0106" Error "unknown purpose":
        "Purposes are treatment, operations, payment, marketing, marketing_paid, fundraising and research.";
    UNKNOWN_CHANNEL = "HS0107" Error "unknown channel":
        "Channels are email, sms, voice, mail and push.";
    UNKNOWN_NAME = "HS0108" Error "unknown name":
        "A name that stands alone among criteria refers to a `define` of the same file.";
    UNKNOWN_VALUESET = "HS0109" Error "unknown value set":
        "`@name` refers to a `valueset` of the same file, or to one that was imported with `hyperseg import valueset`.";
    UNKNOWN_PARAM = "HS0110" Error "unknown parameter":
        "`$name` refers to a `param` of the same file.";
    UNKNOWN_SEGMENT = "HS0121" Error "unknown segment":
        "`in segment` and `entered segment` are followed by the name of another segment of the same file, and a portfolio consists of such.";
    UNKNOWN_STAGE = "HS0122" Error "unknown stage":
        "`in stage` is followed by the name of a stage of the file; where the file declares none, of one of the dataset (`hyperseg stages`), and where that has none, of a stage that is built in: new, at_risk, active, lapsed, booked, engaged, prospect.";
    UNKNOWN_CODE = "HS0131" Error "code that the hierarchy does not have":
        "`under` takes a code with everything that the imported hierarchy has below it. A code that is not in it would stand for itself alone, which is rarely meant: it is likely misspelt, or the hierarchy is that of another edition.";
    UNKNOWN_ZIP = "HS0132" Error "ZIP code without a place":
        "The imported table of centroids does not have the ZIP code from which a distance is to be measured. It may be one of post boxes, or misspelt.";

    UNEXPECTED = "HS0201" Error "something else was expected":
        "The text does not follow the grammar at this place; the message says what could stand there.";
    UNTERMINATED = "HS0202" Error "text or comment without an end":
        "A text starts and ends with a double quote on one line; a comment that starts with /* ends with */.";
    FOREIGN_CHARACTER = "HS0203" Error "character outside the language":
        "Outside of texts and comments only names, numbers, dates and the signs of the language may stand.";
    BAD_ESCAPE = "HS0204" Error "unknown escape":
        "Inside a text a backslash is followed by one of \\ \" n t, or by u{...} with a hexadecimal number. Write \\\\ for a backslash itself, also in regular expressions: \"\\\\d+\".";
    BAD_NUMBER = "HS0205" Error "malformed number":
        "A number is written with digits and at most one point: 12, 0.5. No thousands separators, no exponent, a blank before a unit.";
    BAD_DATE = "HS0206" Error "malformed date":
        "A date is written 2026-01-31: year, month and day with four, two and two digits, and must exist in the calendar. It has no time.";
    NOT_AVAILABLE = "HS0207" Error "not available in this version":
        "The language has a place for this construct, but this version does not carry it out. It is refused so that nothing is silently left out of a segment.";
    MISPLACED_CLAUSE = "HS0208" Error "clause in the wrong place":
        "A segment is written: name and title, then `purpose` and `channel`, then `where`, then `exclude`, `output`, `holdout`.";
    TOO_DEEP = "HS0209" Error "nested too deeply":
        "Parentheses and `not` nest at most 64 levels. Give inner parts a name with `define`.";
    TOO_LARGE = "HS0210" Error "text too large":
        "A text has at most 4 MiB and one million words and signs.";
    LIST_TOO_LONG = "HS0211" Error "list too long":
        "A list has at most 100,000 values, and a sequence at most 16 records.";
    FOREIGN_SPELLING = "HS0212" Error "spelling of another language":
        "There is one spelling for everything: `=`, `!=`, `and`, `or`, `not`, double quotes, lower-case keywords.";
    NO_WHERE = "HS0213" Error "segment without where":
        "A segment says whom it takes with `where`. Everyone is `where everyone`.";
    TOO_MANY_FINDINGS = "HS0214" Error "too many findings":
        "Only the first 200 findings are shown.";

    WRONG_VALUE = "HS0301" Error "value of another type":
        "The value does not have the type of the field it is compared with.";
    WRONG_TEST = "HS0302" Error "test that the field does not have":
        "Text, categories, codes and truth values know `=`, `!=` and `in`; numbers, money and dates also have an order; windows are for dates and times; `contains`, `starts with`, `ends with` and `matches` are for text. `sum`, `avg`, `min`, `max` and `median` take whole numbers, numbers and money.";
    CODE_WITHOUT_SYSTEM = "HS0303" Error "code without its system":
        "The same code means different things in different systems: \"250\" is a diagnosis in one and a product in another. Write the system in front: ICD10CM:\"E11.9\".";
    NO_HIERARCHY = "HS0304" Error "no hierarchy to go under":
        "`under` takes a code with everything below it. In ICD10CM, ICD10PCS and ATC that is the prefix; the other systems need a table, which `hyperseg import hierarchy` stores in the dataset. Without it what lies below is not known. Import it, or list the codes.";
    BAD_REGEX = "HS0305" Error "malformed regular expression":
        "`matches` takes a regular expression of linear time: no look-around, no back references, and a bounded size once compiled.";
    WRONG_PARAM = "HS0306" Error "parameter of another type":
        "A parameter stands where its declared type fits: text for text, int or number for numbers, money for money, date for dates and times, bool for truth values. Categories, codes and regular expressions are checked when the segment compiles and cannot be parameters.";
    NO_END = "HS0307" Error "record kind without an end":
        "`active` asks whether a record lasts; only kinds with an `end` last.";
    NOT_A_RECORD_TEST = "HS0308" Error "criterion that cannot stand in a filter":
        "The parentheses behind a kind of record hold tests of that record's fields, joined by and, or, not.";
    CODE_OUTSIDE = "HS0309" Error "code or value set against a field that holds no codes":
        "Codes and value sets are for fields of type code, such as `code`, `type`, `reason`, `value_code`. Values of other fields stand in a list, or in a file: `zip in @\"territory.csv\"`.";
    SAME_AS = "HS0310" Error "same field as a record that is not beside this one":
        "`same FIELD as RECORD` compares a record of a sequence with the one that the step counts from. Both kinds have the field, with the same type, and RECORD is the kind of the other one: `email_sent then email_click same campaign as email_sent within 7 days`.";
    UNUSED_CLOCK = "HS0311" Error "clock from which nothing is counted":
        "In a sequence `RECORD.end` starts the clock of the next step at the record's end. Behind the last record, and behind one that must not follow, no step counts from it.";
    NO_PLACES = "HS0331" Error "places of ZIP codes were never imported":
        "A distance from a ZIP code is measured from its centroid, which `hyperseg import zip` stores in the dataset: a CSV file or a Census gazetteer. A distance from a point needs no table; with one, contacts without a location are placed by their ZIP.";

    REVERSED = "HS0401" Error "bounds the wrong way round":
        "The first bound is the smaller one: 50..74, after 90 days within 1 year, between 30 and 60 days ago, between 2026-01-01 and 2026-03-31. The other way round nobody would be selected.";
    OUT_OF_RANGE = "HS0402" Error "value out of range":
        "The number lies outside of what can be stored or meant here.";
    WRONG_WINDOW = "HS0403" Error "window that cannot stand here":
        "A date without a time cannot be tested in hours or minutes; an anniversary needs a window with two ends; `between` takes hours or days, not both; `days covered` and `while observed` need a window in days that has a beginning and does not look ahead. `changed` and `was` look back.";
    EMPTY_TEXT = "HS0404" Error "empty text":
        "An empty text is a missing value, so it equals nothing. Write `is missing` or `is known`.";
    TOO_PRECISE = "HS0405" Error "more decimals than the type has":
        "Money has two decimals, also where it is summed or averaged, a holdout three, ages and counts are whole numbers.";

    BAD_ZIP = "HS0406" Error "malformed ZIP":
        "ZIP codes are stored as text of five digits with leading zeros, without the four further digits.";

    UNKNOWN_UNIT = "HS0407" Error "unknown unit":
        "Units are written as UCUM does, case by case: mg/dL, mmol/L, mm[Hg], [lb_av], Cel. What is not a unit cannot be converted, so it does not compile.";
    UNIT_OF_CODE = "HS0408" Error "unit in which this is not measured":
        "No result under the codes that the filter names is reported in a unit that converts to this one, so that the test would be UNKNOWN for everyone.";
    ARMS_DO_NOT_FIT = "HS0420" Error "arms that do not make the whole list":
        "Every contact of the list is in one arm of a split, so the percentages of the arms make 100%. A holdout is taken first; the arms share what it leaves.";

    DUPLICATE_NAME = "HS0501" Error "declared twice":
        "Within a file each value set, parameter, define, stage and segment has its own name. A portfolio cannot have that of a segment: `FILE:name` is one of them.";
    DUPLICATE_CLAUSE = "HS0502" Error "clause written twice":
        "Each clause stands once in a segment. Join criteria with `and`, or list fields with commas.";
    DEFINE_CYCLE = "HS0503" Error "define that needs itself":
        "A define stands for its criteria, so it cannot contain itself, not even through others.";
    VALUESET_CYCLE = "HS0504" Error "value set that needs itself":
        "A value set stands for its codes, so it cannot contain itself, not even through others.";
    EMPTY_VALUESET = "HS0505" Error "value set without a code":
        "After all exclusions nothing is left. A criterion on it would select nobody, or everybody under `not`, so it does not compile.";
    UNKNOWN_PARAM_TYPE = "HS0506" Error "unknown parameter type":
        "Parameters have the type text, int, number, money, bool or date.";
    BAD_DEFAULT = "HS0507" Error "default that does not fit":
        "The value behind `=` must have the declared type of the parameter.";
    EXPANDS_TOO_FAR = "HS0508" Error "segment too large once its defines are put in":
        "A segment has at most 20,000 tests and 2,000,000 values, nested at most 128 levels, after defines and value sets are put in.";
    SEGMENT_CYCLE = "HS0521" Error "segment or stage that needs itself":
        "`in segment`, `entered segment` and `in stage` stand for criteria that are declared elsewhere. A stage also needs those in front of it. None can need itself, not even through others.";
    STAGE_PARAM = "HS0522" Error "stage with a parameter":
        "A stage is the same in every run, so it cannot depend on a parameter, not even through a define or a segment.";
    NOT_A_STAGE = "HS0523" Error "not for the stages of a dataset":
        "A file of the stages of a dataset holds stages, and the value sets and defines that they use. Whoever uses a stage cannot give its parameters, and does not see its segments.";
    NO_STAGE = "HS0524" Error "no stage for the dataset":
        "A file of the stages of a dataset declares at least one. To return to the stages that are built in, `hyperseg stages reset`.";
    UNREADABLE_FILE = "HS0531" Error "file that cannot be read":
        "A file is named relative to the folder of the segment file. It is CSV in UTF-8, of at most 64 MiB and 1,000,000 rows. A segment from standard input has no folder, so it can name none.";
    BAD_FILE = "HS0532" Error "file that holds something else":
        "A file of codes has the headers `system` and `code`, and may have `under`, `exclude` and `display`. A file of values has a column that is called like the field, or just one column. Every value must be one that the field can have: a ZIP code has five digits, and spreadsheets like to drop the zeros in front. Findings tell the line and never what stands on it.";
    NO_ANSWER = "HS0533" Error "lookup that cannot be had":
        "The segment refers to something that lies in the dataset, and that could not be read: no dataset was named, it does not open with the keys at hand, or what is stored has a form of another version.";
    DAMAGED = "HS0534" Error "stored lookup that is damaged":
        "What the segment refers to is stored in the dataset and is not what was written: damaged, changed or missing. Nothing is taken in its place; `hyperseg verify` says what else is damaged, and a backup has it.";
    REPEATED_SEGMENT = "HS0551" Error "segment twice in a portfolio":
        "A contact goes to the first segment of a portfolio that takes it, so that a segment has one place in it. It may stand in several portfolios.";
    PORTFOLIO_SIZE = "HS0552" Error "portfolio with too few or too many segments":
        "A portfolio decides between segments, so it has at least two of them, and at most 50.";

    BAD_JSON = "HS0601" Error "not JSON":
        "A segment file whose first character is a brace is read as JSON (RFC 8259): no comments, no comma behind the last of several, double quotes.";
    JSON_VERSION = "HS0602" Error "version of the JSON form":
        "The field `hyperseg` of the outermost object is the version of the form. A file of another version is not read, because what it means is not known.";
    JSON_UNKNOWN_FIELD = "HS0603" Error "unknown field in the JSON form":
        "Every field has a meaning. One that is not known would be left out silently and the segment would mean something else, so it is refused.";
    JSON_MISSING_FIELD = "HS0604" Error "missing field in the JSON form":
        "The object cannot be understood without this field.";
    JSON_REPEATED = "HS0605" Error "field written twice in the JSON form":
        "Of two fields of one name most readers of JSON drop one. Which of them was meant is not known.";
    JSON_SHAPE = "HS0606" Error "other shape expected in the JSON form":
        "The value has another type than stands here, or the object is none of those that may stand here. The JSON Schema says which may.";
    JSON_NAME = "HS0607" Error "name that the language does not have":
        "Names are letters, digits and `_`, and do not start with a digit; where a criterion may stand, words of the language are no names. Every file in the JSON form can also be written as text.";

    UNUSED = "HS0901" Warning "declared and not used":
        "No segment of the file uses it. A misspelt use, or a criterion that was forgotten?";
    NEGATED_MISSING = "HS0902" Warning "negation over a value that may be missing":
        "A test on a missing value is UNKNOWN, and so is its negation: contacts without the value are not selected. Say what you mean: add `or FIELD is missing` to take them, or `and FIELD is known` to leave them out in so many words. A sum, average, minimum, maximum or median over no value is missing in the same way.";
    NEVER_TRUE = "HS0903" Warning "never true":
        "The criteria exclude each other, so nobody is selected: bounds that do not meet, different categories of one field, a criterion beside its opposite.";
    DUPLICATE_CRITERION = "HS0904" Warning "written twice":
        "The same criterion or value stands twice; one of them may have been meant differently.";
    MIXED_AND_OR = "HS0905" Warning "and with or, without parentheses":
        "`and` binds more tightly than `or`. Parentheses make it plain which of them was meant.";
    EMPTY_WINDOW = "HS0906" Warning "window without a day":
        "No moment lies inside the window, or inside all of the windows together.";
    REPEATED_OUTPUT = "HS0907" Warning "output field written twice":
        "The list holds each field once; contact_id is always its first column.";
    ALWAYS_TRUE = "HS0908" Warning "always true":
        "The criterion holds for everyone of whom it is known, so it selects nothing: `everyone`, a count of at least 0, a criterion or its opposite, bounds that leave nothing out.";
    MORE_WARNINGS = "HS0909" Warning "too many warnings":
        "Only the first 200 warnings are shown.";
    UNBOUNDED_COUNT = "HS0910" Warning "behaviour counted without a window":
        "The longer the history, the more contacts reach a number of visits, opens or purchases, however long ago they were. Say from when on they count; `count(...) = 0`, `has` and `no` without a window mean never and ever.";
    SENSITIVE_MARKETING = "HS0911" Warning "sensitive data with a marketing purpose":
        "Substance use, HIV, mental health, reproductive health, genetics, race, ethnicity and religion must not choose whom advertising or fundraising reaches, unless the contact has authorized that use. What a segment excludes by is not reported.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_explained() {
        for pair in ALL.windows(2) {
            let [a, b] = pair else { continue };
            assert!(a.code < b.code, "{} {}", a.code, b.code);
        }
        for entry in ALL {
            assert!(entry.code.len() == 6 && entry.code.starts_with("HS0"));
            assert!(!entry.title.is_empty() && entry.explanation.ends_with(['.', '?']), "{}", entry.code);
            let lint = entry.code.starts_with("HS09");
            assert_eq!(lint, entry.severity == Severity::Warning, "{}", entry.code);
        }
        assert!(UNKNOWN_FIELD.page().starts_with("## HS0101: unknown contact field\n\nThe name"));
        assert!(UNKNOWN_FIELD.page().ends_with("\n```\n"));
        assert_eq!(rule("hs0101"), Some(&UNKNOWN_FIELD));
        assert_eq!(rule("HS9999"), None);
    }
}
