//! Records that follow each other.

use hyperseg_dsl::segment::{Relation, SameField};

use super::*;

#[test]
fn sequences_of_records() {
    let sequence = |source: &str| match criterion(source) {
        Logic::Leaf(ContactTest::Sequence(sequence)) => sequence,
        other => panic!("{other:?}"),
    };
    let days = |count| length(count, DurationUnit::Day);
    let one = sequence(
        "email_sent(campaign = \"x\") in last 30 days then email_click same campaign as email_sent within 7 days",
    );
    assert_eq!((one.first.selector.record.as_str(), one.first.selector.windows.len()), ("email_sent", 1));
    assert_eq!(one.links.len(), 1);
    assert_eq!(one.links[0].relation, Relation::Then { after: None });
    assert_eq!(one.links[0].within, days(7));
    assert_eq!(one.links[0].same, [SameField { field: "campaign".to_owned(), ty: FieldType::Text }]);
    // `B within D after A` is `A then B within D`.
    let near = sequence(
        "email_click same campaign as email_sent within 7 days after email_sent(campaign = \"x\") in last 30 days",
    );
    assert_eq!(near, one);
    let named_there = sequence(
        "email_click within 7 days after email_sent(campaign = \"x\") same campaign as email_click in last 30 days",
    );
    assert_eq!(named_there, one);
    let chain = sequence(
        "encounter(class = inpatient) before 2026-01-01 .end then visit after 2 weeks within 1 month not followed by call within 24 hours or still open then visit.recorded_at within 2 days then visit within 1 hour",
    );
    assert_eq!(chain.first.clock.as_deref(), Some("end"));
    let relations: Vec<Relation> = chain.links.iter().map(|link| link.relation).collect();
    let then = Relation::Then { after: None };
    assert_eq!(
        relations,
        [
            Relation::Then { after: Some(length(2, DurationUnit::Week)) },
            Relation::NotFollowed { or_open: true },
            then,
            then,
        ]
    );
    assert_eq!(chain.links[2].event.clock.as_deref(), Some("recorded_at"));
    let before = sequence("visit after 2026-01-01 within 3 days before encounter.end");
    assert_eq!(before.links[0].relation, Relation::Before);
    assert_eq!(before.first.clock.as_deref(), Some("end"));
    assert_eq!(before.links[0].event.selector.windows, [Window::After(Anchor::date(date("2026-01-01")))]);
    assert_eq!(sequence("visit within 3 days around visit").links[0].relation, Relation::Around);
    // `.at` is where clocks start anyway.
    assert_eq!(sequence("visit.at then call within 1 day"), sequence("visit then call within 1 day"));
    assert!(matches!(criterion("not visit then call within 1 day"), Logic::Not(_)));
    let source = "param c: text\nsegment s where email_sent(campaign = $c) then email_open(campaign = $c) within 1 day";
    let bound = segment(source).bind(&ParamValues::from([("c".into(), "x".into())])).unwrap();
    assert!(!format!("{:?}", bound.segment().criteria).contains("Param"));
}

#[test]
fn long_sequences_are_broken_at_their_steps() {
    let source = "segment s where email_sent(campaign = \"spring checkup\") in last 30 days then email_open within 2 days /* a */ then email_click same campaign as email_open within 7 days not followed by appointment(specialty = primary_care or specialty = imaging or specialty = obstetrics or specialty = oncology) within 14 days and age > 3";
    let expected = "segment s
  where email_sent(campaign = \"spring checkup\") in last 30 days
    then email_open within 2 days /* a */
    then email_click same campaign as email_open within 7 days
    not followed by appointment(
      specialty = primary_care
      or specialty = imaging
      or specialty = obstetrics
      or specialty = oncology
    ) within 14 days
    and age > 3
";
    let formatted = format(source).unwrap();
    assert_eq!(formatted, expected);
    assert_eq!(format(&formatted).unwrap(), formatted);
    assert_eq!(checked(source).segments, checked(&formatted).segments);
}
