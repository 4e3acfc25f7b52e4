//! What is wrong is reported with its code at its place, all at once, and nothing makes the front end panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use hyperseg_dsl::diagnostic::codes;
use hyperseg_dsl::schema::Schema;
use hyperseg_dsl::{check, format, render};

/// Each line: a code, then a text whose findings stand between « and ». The findings must be these and no others.
const BAD: &[(&[&str], &str)] = &[
    // names
    (&["HS0101"], "segment s where «gendr» = female"),
    (&["HS0101"], "segment s where «procedure» = 3"),
    (&["HS0101"], "segment s where everyone output first_name, «e_mail»"),
    (&["HS0102"], "segment s where has «procedur»(code in (CPT:\"1\"))"),
    (&["HS0102"], "segment s where no «zip» in last 3 days"),
    (&["HS0103"], "segment s where has lab(«valu» > 9)"),
    (&["HS0103"], "segment s where latest lab.«results» > 9"),
    (&["HS0102"], "segment s where max(«bil».amount) > 5"),
    (&["HS0103"], "segment s where sum(bill.«amont») > 5"),
    (&["HS0103"], "segment s where count(distinct encounter.«providr») > 5"),
    (&["HS0103"], "segment s where sum(bill.amount(«state» = open)) > 5"),
    (&["HS0104"], "segment s where gender = «femail»"),
    (&["HS0104"], "segment s where sum(bill.amount(status = «opn»)) > 5"),
    (&["HS0104"], "segment s where state in (MA, «XX», NH)"),
    (&["HS0104", "HS0104"], "segment s where state in («Ma», «QQ»)"),
    (&["HS0105"], "segment s where has condition(code = «ICD9»:\"250\")"),
    (&["HS0105"], "valueset v = «ICDCM» { \"1\" } segment s where has condition(code in @v)"),
    (&["HS0106"], "segment s purpose «care» where everyone"),
    (&["HS0107"], "segment s channel «e_mail» where everyone"),
    (&["HS0108"], "segment s where «engagd»"),
    (&["HS0109"], "segment s where has condition(code in @«diabetes»)"),
    (&["HS0110"], "segment s where age > «$limit»"),
    // syntax
    (&["HS0201"], "segment s where«»"),
    (&["HS0201"], "segment s where gender «female»"),
    (&["HS0201"], "segment s where gender = female «age» > 5"),
    (&["HS0201"], "segment s where (gender = female and age > 5«»"),
    (&["HS0201"], "segment s where gender = female«)»"),
    (&["HS0201"], "segment s where «gender»"),
    (&["HS0201"], "segment s where «procedure»(code in (CPT:\"1\"))"),
    (&["HS0201"], "segment s where has condition(code = «ICD10CM:E11.9»)"),
    (&["HS0201"], "segment s where enrolled_on in last «months»"),
    (&["HS0201"], "segment s where enrolled_on in last 3 «moons»"),
    (&["HS0201"], "segment s where enrolled_on more than 3 days«»"),
    (&["HS0201"], "segment s where gender is «not» known"),
    (&["HS0201"], "segment s where age «between» 50 and 74"),
    (&["HS0201"], "segment s where state in «()»"),
    (&["HS0201"], "segment s where latest lab(value > 3) «>» 9"),
    (&["HS0201"], "segment s where everyone and\n  «output» first_name"),
    (&["HS0201"], "«segmnt» s where everyone"),
    (&["HS0201"], "segment s where has email_open(«»"),
    (&["HS0202"], "segment s «\"title»\n where everyone"),
    (&["HS0202"], "segment s where everyone «/*» never closed"),
    (&["HS0203"], "segment s where age > 5«;»"),
    (&["HS0203"], "segment s where age «^^» > 5"),
    (&["HS0204"], "segment s where city matches \"a«\\d»\""),
    (&["HS0205"], "segment s where age > «5x»"),
    (&["HS0205"], "segment s where enrolled_on in last «90days»"),
    (&["HS0206"], "segment s where enrolled_on > «2026-02-30»"),
    (&["HS0206"], "segment s where enrolled_on > «2026-2-3»"),
    (&["HS0206"], "segment s where enrolled_on > «2026-02-03T10:00»"),
    (&["HS0208"], "segment s where everyone «purpose» treatment"),
    (&["HS0208"], "segment s output email «where» everyone"),
    (&["HS0212"], "segment s where gender «==» female"),
    (&["HS0212"], "segment s where gender = female «&&» age > 5"),
    (&["HS0212"], "segment s where city = «'»Boston'"),
    (&["HS0212"], "segment s «WHERE» everyone"),
    (&["HS0212"], "segment s where gender = female «AND» age > 5"),
    (&["HS0213"], "«segment s» purpose treatment"),
    (&["HS0201"], "segment s where sum(bill«)» > 5"),
    (&["HS0201"], "segment s where sum(bill«(»status = open).amount) > 5"),
    (&["HS0201"], "segment s where sum(«days» of bill) > 5"),
    (&["HS0201"], "segment s where avg(«distinct» bill.amount) > 5"),
    (&["HS0201"], "segment s where count(distinct encounter«)» > 5"),
    (&["HS0201"], "segment s where count(distinct encounter.provider«.»site) > 5"),
    (&["HS0201"], "segment s where count(encounter«.»provider) > 5"),
    (&["HS0201"], "segment s where count(days of encounter«.»at) > 5"),
    (&["HS0201"], "segment s where sum(bill.amount)«»"),
    (&["HS0201"], "segment s where sum(bill.amount) in last 3 days «active» > 5"),
    (&["HS0201", "HS0201"], "segment s where median(lab.value in last 1 year «>» 5«»"),
    (&["HS0201"], "segment s where «average»(bill.amount) > 5"),
    (
        &["HS0201", "HS0206"],
        "segment s where «total»(bill.amount in last 3 days since «2026-2-3») > 5 and age > 3",
    ),
    (&["HS0212"], "segment s where «SUM»(bill.amount) > 5"),
    (&["HS0201"], "segment s where at least «of» (gender = female, age > 5)"),
    (&["HS0201"], "segment s where at most 2 «(»gender = female, age > 5)"),
    (&["HS0201", "HS0201"], "segment s where exactly 2 of «gender» = female«,» age > 5"),
    (&["HS0201"], "segment s where at least 1 of («)»"),
    (&["HS0201", "HS0101"], "segment s where at least 1 of (gender = female «age» > 5, «gendr» = male)"),
    (&["HS0201"], "segment s where at least 1 of (gender = female, age > 5«»"),
    // sequences
    (&["HS0201"], "segment s where «has» email_sent then email_open within 3 days"),
    (&["HS0201"], "segment s where «no» email_sent not followed by email_open within 3 days"),
    (&["HS0201"], "segment s where «latest» email_sent then email_open within 3 days"),
    (
        &["HS0201", "HS0103"],
        "segment s where count«(»email_sent then email_open(campaign = \"a\") within 3 days) > 3 and has lab(«valu» > 3)",
    ),
    (&["HS0201"], "segment s where email_sent then email_open«»"),
    (&["HS0201"], "segment s where email_sent then «no» email_open within 3 days"),
    (&["HS0201"], "segment s where email_sent then email_open within «last» 3 days"),
    (&["HS0201"], "segment s where email_sent then email_open within 3 days or still «closed»"),
    (&["HS0201"], "segment s where email_open within 3 days «since» email_sent"),
    (
        &["HS0201"],
        "segment s where email_sent then email_open within 3 days «within 3 days before email_click»",
    ),
    (&["HS0102"], "segment s where email_sent then «emailopen» within 3 days and age > 3"),
    (&["HS0104"], "segment s where encounter(class = «inpat»).end then visit within 3 days"),
    (&["HS0103"], "segment s where encounter.«until» then visit within 3 days"),
    (&["HS0302"], "segment s where encounter.«provider» then visit within 3 days"),
    (&["HS0310"], "segment s where email_sent then email_click same campaign as «email_open» within 3 days"),
    (
        &["HS0310"],
        "segment s where email_sent then email_open within 1 day then email_click same campaign as «email_sent» within 3 days",
    ),
    (&["HS0310"], "segment s where email_sent same «campaign» as email_sent then email_click within 3 days"),
    (&["HS0310"], "segment s where has email_sent same «campaign» as email_sent"),
    (&["HS0310"], "segment s where encounter then appointment same «status» as encounter within 3 days"),
    (
        &["HS0103"],
        "segment s where encounter then appointment same «encounter_id» as encounter within 3 days",
    ),
    (&["HS0311"], "segment s where visit then encounter.«end» within 3 days"),
    (&["HS0311"], "segment s where encounter not followed by encounter.«end» within 3 days"),
    (&["HS0311"], "segment s where encounter.«end» within 3 days before visit"),
    (&["HS0401"], "segment s where visit then visit after «4 days within 3 days»"),
    (&["HS0906"], "segment s where visit then visit within «0 hours»"),
    (&["HS0308"], "segment s where has lab(«lab then lab within 3 days»)"),
    // periods, recording, values that must be there
    (&["HS0201"], "segment s where has visit «in this month»"),
    (&["HS0201"], "segment s where enrolled_on «in last week» and age > 3"),
    (&["HS0201", "HS0201"], "segment s where has visit «last» «fortnight»"),
    (&["HS0103"], "segment s where latest visit with «value».at last month"),
    (&["HS0301"], "segment s where has visit recorded since «\"2026-01-01\"»"),
    (&["HS0906"], "segment s where has visit recorded «in last 0 hours»"),
    // shares
    (&["HS0201"], "segment s where share(status = no_show«)» > 30%"),
    (&["HS0201"], "segment s where share(status = no_show of appointment) > 30 «and» age > 3"),
    (&["HS0201"], "segment s where share(status = no_show of appointment) «in» last 3 days > 30%"),
    (&["HS0201"], "segment s where share(status = no_show of appointment) > 30% with at least «many»"),
    (&["HS0104"], "segment s where share(status = «noshow» of appointment) > 30%"),
    (&["HS0102", "HS0101"], "segment s where share(status = no_show of «apointment») > 30% and «agee» > 3"),
    (&["HS0308"], "segment s where share(«age > 3» of appointment) > 30%"),
    (&["HS0402"], "segment s where share(status = no_show of appointment) > «101»%"),
    (&["HS0405"], "segment s where share(status = no_show of appointment) > «30.1234»%"),
    (&["HS0402"], "segment s where share(status = no_show of appointment) > 30% with at least «0»"),
    (&["HS0903"], "segment s where share(«status = cancelled» of appointment) > 30%"),
    // ages and lists
    (&["HS0201"], "segment s where turns 65 «and» age > 3"),
    (&["HS0402"], "segment s where turns «200» in next 90 days"),
    (&["HS0403"], "segment s where turns 65 in next «90 hours»"),
    (&["HS0201"], "segment s where age in months «between» 3 and 5"),
    (&["HS0301"], "segment s where age on «\"2026-01-01\"» > 6"),
    (&["HS0207"], "segment s where age on «enrolled_on» > 6"),
    (&["HS0201"], "segment s where spoken_languages has any of «en»"),
    (&["HS0104"], "segment s where spoken_languages has all of (en, «english»)"),
    (&["HS0302"], "segment s where «gender has any of (female)»"),
    (&["HS0904"], "segment s where spoken_languages has any of (en, «en»)"),
    (&["HS0902"], "segment s where «spoken_languages has none of (en)»"),
    // later versions
    (&["HS0207"], "segment s where everyone «limit» 50"),
    (&["HS0207"], "segment s where everyone «sample» 10% seed \"a\""),
    (&["HS0207"], "segment s where everyone «split» a 50%, b 50%, holdout 10% seed \"a\""),
    (&["HS0207"], "segment s where everyone «cap» 3 per 1 week"),
    (&["HS0207"], "segment s where everyone «one per» household_id"),
    (&["HS0207"], "«stage» new = has visit segment s where everyone"),
    (&["HS0207"], "«portfolio» p = a > b\nsegment s where everyone"),
    (&["HS0207"], "segment s where «top 5»% by income"),
    (&["HS0207"], "segment s where «in segment» other and age > 4"),
    (&["HS0207"], "segment s where «entered segment» other in last 3 days"),
    (&["HS0207"], "segment s where «received» campaign \"x\" in last 3 days"),
    (&["HS0207"], "segment s where «not received» campaign \"x\" in last 3 days"),
    (&["HS0207"], "segment s where «any member of» household (age < 5)"),
    (&["HS0207"], "segment s where no procedure in last 3 days «while observed»"),
    (&["HS0207"], "segment s where «days covered»(medication) in last 1 year >= 80%"),
    (&["HS0207"], "segment s where «2nd» lab.value > 3"),
    (&["HS0207"], "segment s where latest lab «highest».value > 3"),
    (&["HS0207"], "segment s where has lab(value > 1.5 «\"mg/dL\"»)"),
    (&["HS0207"], "segment s where «location within» 25 miles of zip \"02139\""),
    (&["HS0207"], "segment s where state «changed» in last 3 days"),
    (&["HS0207"], "segment s where enrolled_on > birth_date «+ 42 days»"),
    (&["HS0207"], "segment s where enrolled_on > «birth_date»"),
    (&["HS0207"], "segment s where enrolled_on between «birth_date» and 2026-01-01"),
    (&["HS0301"], "segment s where birth_date < «gender»"),
    (&["HS0301"], "segment s where birth_date < «birth_date»"),
    (&["HS0207"], "segment s where has visit since «enrolled_on»"),
    (&["HS0207"], "valueset v = «file \"codes.csv\"» segment s where has condition(code in @v)"),
    (&["HS0207"], "segment s where zip in @«\"zips.csv\"»"),
    // types
    (&["HS0301"], "segment s where household_size > «\"3\"»"),
    (&["HS0301"], "segment s where city = «Boston»"),
    (&["HS0301"], "segment s where zip = «02139»"),
    (&["HS0301"], "segment s where enrolled_on > «\"2026-01-01\"»"),
    (&["HS0301"], "segment s where gender = «\"female\"»"),
    (&["HS0301"], "segment s where age > «female»"),
    (&["HS0301"], "segment s where has email_open(machine = «yes»)"),
    (&["HS0302"], "segment s where «city < \"B\"»"),
    (&["HS0302"], "segment s where «gender > female»"),
    (&["HS0302"], "segment s where «gender contains \"f\"»"),
    (&["HS0302"], "segment s where «city in last 3 days»"),
    (&["HS0302"], "segment s where «gender in female..male»"),
    (&["HS0302"], "segment s where «spoken_languages = en»"),
    (&["HS0302"], "segment s where «source anniversary in next 3 days»"),
    (&["HS0302"], "segment s where has condition(code = «under ICD10CM:\"E11\"»)"),
    (&["HS0302"], "segment s where sum(bill.«status») > 5"),
    (&["HS0302"], "segment s where min(bill.«due_on») > 2026-01-01"),
    (&["HS0302"], "segment s where median(encounter.«provider») > 5"),
    (&["HS0301"], "segment s where sum(bill.amount) > «balance»"),
    (&["HS0301"], "segment s where sum(bill.amount) > «\"5\"»"),
    (&["HS0303"], "segment s where has condition(code = «\"E11.9\"»)"),
    (&["HS0303", "HS0303"], "segment s where has condition(code in («\"E11.9\"», «\"250\"»))"),
    (&["HS0303"], "segment s where has condition(code = «E11»)"),
    (&["HS0304"], "segment s where has condition(code «under SNOMED:\"73211009\"»)"),
    (&["HS0304"], "valueset v = SNOMED { «under \"1\"», \"2\" } segment s where has condition(code in @v)"),
    (&["HS0305"], "segment s where city matches «\"(\"»"),
    (&["HS0305"], "segment s where city matches «\"(a{1000}){1000}\"»"),
    (&["HS0306"], "param p: text segment s where age > «$p»"),
    (&["HS0306"], "param p: text segment s where gender = «$p»"),
    (&["HS0306"], "param p: number segment s where income > «$p»"),
    (&["HS0306"], "param p: text segment s where city matches «$p»"),
    (&["HS0306"], "param p: number segment s where sum(bill.amount) > «$p»"),
    (&["HS0306"], "param p: money segment s where sum(lab.value) in 1..«$p»"),
    (&["HS0307"], "segment s where has email_open «active»"),
    (&["HS0307"], "segment s where sum(bill.amount «active») > 5"),
    (&["HS0308"], "segment s where has lab(«sum(bill.amount) > 5»)"),
    (&["HS0308"], "segment s where has lab(«age > 3»)"),
    (&["HS0308"], "define d = age > 3 segment s where has lab(«d») and d"),
    (&["HS0309"], "segment s where city = «ICD10CM:\"E11\"»"),
    (&["HS0309"], "valueset v = CPT { \"1\" } segment s where zip in @«v» and has procedure(code in @v)"),
    // windows and values
    (&["HS0401"], "segment s where age in «74..50»"),
    (&["HS0401"], "segment s where income between «5 and 4.99»"),
    (&["HS0401"], "segment s where sum(bill.amount) in «5..-4.99»"),
    (&["HS0401"], "segment s where enrolled_on between «2026-02-01 and 2026-01-01»"),
    (&["HS0401"], "segment s where has visit between «60 and 30 days» ago"),
    (&["HS0401"], "segment s where has visit between «1 year and 2 months» ago"),
    (&["HS0402"], "segment s where at least «3» of (gender = female, age > 5)"),
    (&["HS0402"], "segment s where at least «0» of (gender = female, age > 5)"),
    (&["HS0402"], "segment s where at most «2» of (email is known, no visit)"),
    (&["HS0402"], "segment s where exactly «1.5» of (gender = female, age > 5)"),
    (&["HS0402", "HS0101"], "segment s where exactly «-1» of («gendr» = female, age > 5)"),
    (&["HS0402"], "segment s where age > «-1»"),
    (&["HS0402"], "segment s where has visit in last «9999999» days"),
    (&["HS0402"], "segment s where everyone holdout «0»%"),
    (&["HS0402"], "segment s where everyone holdout «101»%"),
    (&["HS0403"], "segment s where birth_date in last «24 hours»"),
    (&["HS0403"], "segment s where birth_date anniversary «since 2026-01-01»"),
    (&["HS0403"], "segment s where has visit between «3 hours and 2 days» ago"),
    (&["HS0404"], "segment s where city = «\"\"»"),
    (&["HS0404"], "segment s where has condition(code = ICD10CM:«\"\"»)"),
    (&["HS0405"], "segment s where income > «1.005»"),
    (&["HS0405"], "segment s where age > «17.5»"),
    (&["HS0405"], "segment s where avg(bill.amount) > «17.505»"),
    (&["HS0405"], "segment s where count(days of visit) > «1.5»"),
    (&["HS0402"], "segment s where count(distinct encounter.site) > «-1»"),
    (&["HS0406", "HS0406"], "segment s where zip in (\"02139\", «\"2139\"», «\"02139-1234\"»)"),
    // declarations
    (&["HS0501"], "define a = age > 3 define «a» = age > 4 segment s where a"),
    (&["HS0501"], "segment s where everyone segment «s» where everyone"),
    (&["HS0502"], "segment s where everyone output email «output» phone"),
    (&["HS0503"], "define a = «a» segment s where everyone"),
    (&["HS0503"], "define a = b define b = not c define c = «a» segment s where everyone"),
    (&["HS0504"], "valueset a = @b valueset b = CPT { \"1\" } + @«a» segment s where everyone"),
    (&["HS0505"], "valueset «a» = CPT { \"1\" } - CPT { \"1\" } segment s where everyone"),
    (&["HS0506"], "param p: «string» segment s where everyone"),
    (&["HS0507"], "param p: int = «\"three\"» segment s where age > $p"),
    // lints
    (&["HS0901"], "define «a» = age > 3 segment s where everyone"),
    (&["HS0901"], "valueset «a» = CPT { \"1\" } segment s where everyone"),
    (&["HS0901"], "param «p»: int segment s where everyone"),
    (&["HS0902"], "segment s where «gender != female»"),
    (&["HS0902"], "segment s where not («gender = female»)"),
    (&["HS0902"], "segment s where «city not in (\"a\", \"b\")»"),
    (&["HS0902"], "segment s where has encounter(«site != \"a\"»)"),
    (&["HS0903"], "segment s where age < 18 and «age > 65»"),
    (&["HS0903"], "segment s where gender = female and «gender = male»"),
    (&["HS0903"], "segment s where has lab(value > 9 and «value < 3»)"),
    (&["HS0902"], "segment s where «sum(bill.amount) != 5»"),
    (&["HS0902"], "segment s where not («max(lab.value) > 9»)"),
    (&["HS0903"], "segment s where «count(lab) < 0»"),
    (&["HS0903"], "segment s where «count(days of lab) < 0»"),
    (&["HS0903"], "segment s where sum(bill.amount) > 5 and «sum(bill.amount) < 4»"),
    (&["HS0903"], "segment s where count(lab) = 0 and «count(lab) >= 1»"),
    (&["HS0906"], "segment s where «sum(bill.amount in last 3 days) more than 3 days ago > 5»"),
    (&["HS0904"], "segment s where gender = female and age > 3 and «gender = female»"),
    (&["HS0904"], "segment s where zip in (\"02139\", \"02138\", «\"02139\"»)"),
    (&["HS0902", "HS0902"], "segment s where at most 1 of («gender = female», «age > 3»)"),
    (&["HS0904"], "segment s where at least 2 of (gender = female, age > 3, «gender = female»)"),
    (&["HS0905"], "segment s where «gender = female and age > 3» or state = MA"),
    (&["HS0906"], "segment s where has «visit in last 3 days more than 3 days ago»"),
    (&["HS0906"], "segment s where has «visit since 2026-01-01 before 2025-01-01»"),
    (&["HS0907"], "segment s where everyone output email, «email»"),
    (&["HS0908"], "segment s where age > 3 and «everyone»"),
    (&["HS0903"], "segment s where has visit in last 3 days and «no visit in last 3 days»"),
    (&["HS0903"], "segment s where birth_date before 1990-01-01 and «birth_date since 1990-01-01»"),
    (&["HS0908"], "segment s where has lab or «no lab»"),
    (&["HS0908"], "segment s where age < 65 or «age >= 65»"),
    (&["HS0908"], "segment s where age <= 17 or age > 70 or «age in 18..70»"),
    (&["HS0908"], "segment s where enrolled_on since 2026-01-01 or «enrolled_on before 2026-02-01»"),
    (&[], "segment s where age < 65 or age > 65 or income < 5 or income > 5"),
    (&["HS0903"], "segment s where «age < 0»"),
    (&["HS0903"], "segment s where age > 17 and «age < 18»"),
    (&[], "segment s where risk_score > 17 and risk_score < 18"),
    (&["HS0906"], "segment s where has «visit in last 3 weeks between 22 and 30 days ago»"),
    (&["HS0906"], "segment s where has «visit in next 3 days more than 1 day ago»"),
    (&["HS0906"], "segment s where has «visit more than 1 year ago in last 12 months»"),
    (&[], "segment s where has visit in last 3 weeks between 21 and 30 days ago"),
    (&["HS0910"], "segment s where «count(email_open) >= 3»"),
    (&["HS0910"], "segment s where «count(days of email_click(campaign is known)) > 3»"),
    (
        &[],
        "segment s where count(email_open) = 0 and count(encounter) > 3 and count(email_click(at since 2026-01-01)) > 3",
    ),
    (
        &["HS0911", "HS0911"],
        "segment s purpose marketing where age > 3 and «has condition(code in (ICD10CM:\"E11\", ICD10CM:\"B20\"))» and has lab(value > 3) exclude has condition(code = ICD10CM:\"B20\") output «race»",
    ),
    (
        &["HS0911"],
        "define low = latest condition(code under ICD10CM:\"F\") in last 1 year.status = active segment s purpose fundraising where «not low»",
    ),
    (&[], "segment s purpose operations where has condition(code = ICD10CM:\"B20\") output race"),
];

/// The text without its markers, and the spans that they marked.
fn unmark(marked: &str) -> (String, Vec<std::ops::Range<usize>>) {
    let (mut text, mut spans, mut start) = (String::new(), Vec::new(), 0);
    for c in marked.chars() {
        match c {
            '«' => start = text.len(),
            '»' => spans.push(start..text.len()),
            c => text.push(c),
        }
    }
    (text, spans)
}

#[test]
fn every_bad_text_has_its_code_at_its_place() {
    let schema = Schema::built_in();
    let mut failures = Vec::new();
    for (codes, marked) in BAD {
        let (source, spans) = unmark(marked);
        let found = check(&source, &schema);
        let expected: Vec<_> = codes.iter().zip(&spans).map(|(code, span)| (*code, span.clone())).collect();
        let actual: Vec<_> =
            found.diagnostics.iter().map(|finding| (finding.code, finding.span.clone())).collect();
        assert_eq!(codes.len(), spans.len(), "{marked}");
        if expected != actual {
            failures.push(format!(
                "{marked}\nexpected {expected:?}\nfound    {actual:?}\n{}",
                render(&source, "bad.seg", &found.diagnostics, false)
            ));
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n----\n"));
}

#[test]
fn every_code_has_an_example() {
    let shown: BTreeSet<&str> = BAD.iter().flat_map(|(codes, _)| codes.iter().copied()).collect();
    // Limits have tests of their own below.
    let limits = ["HS0209", "HS0210", "HS0211", "HS0214", "HS0508", "HS0909"];
    for rule in codes::ALL {
        // The JSON form has tests of its own.
        let elsewhere = limits.contains(&rule.code) || rule.code.starts_with("HS06");
        assert!(shown.contains(rule.code) || elsewhere, "{} has no example", rule.code);
    }
}

fn found(source: &str) -> Vec<&'static str> {
    let found = check(source, &Schema::built_in());
    for finding in &found.diagnostics {
        assert!(source.get(finding.span.clone()).is_some(), "{finding:?} of {source:?}");
        for related in &finding.related {
            assert!(source.get(related.span.clone()).is_some(), "{finding:?} of {source:?}");
        }
    }
    let _ = render(source, "f.seg", &found.diagnostics, true);
    if let Ok(text) = format(source) {
        assert_eq!(format(&text), Ok(text.clone()), "formatting is not idempotent for {source:?}:\n{text}");
    }
    found.diagnostics.iter().map(|finding| finding.code).collect()
}

#[test]
fn all_problems_are_reported_at_once() {
    let source = r#"
valueset a = ICD9 { "1" } + CPT { 77065 }
param n: string = 3
define d = gendr = female and age > "x"
segment s
  purpose care
  where state = XX
    and age in 9..3
    and (has procedur(code = "1") and count(email_open in last month) > 3
  exclude enrolled_on in last 3 moons
  limit 50
  output nothing
segment t
  where birth_date anniversary since 2026-01-01
"#;
    assert_eq!(
        found(source),
        [
            "HS0105", "HS0201", "HS0506", "HS0101", "HS0301", "HS0106", "HS0104", "HS0401", "HS0102",
            "HS0201", "HS0201", "HS0201", "HS0207", "HS0101", "HS0403"
        ]
    );
}

#[test]
fn limits_are_reported_not_reached() {
    let deep = |levels: usize| format!("segment s where {}age > 3{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(found(&deep(60)), [] as [&str; 0]);
    assert_eq!(found(&deep(65)), ["HS0209"]);
    assert!(found(&deep(20_000)).contains(&"HS0209"));
    assert!(found(&format!("segment s where {} age > 3", "not ".repeat(20_000))).contains(&"HS0209"));
    assert!(found(&"(".repeat(20_000)).contains(&"HS0201"));
    let chain = |links: usize| format!("segment s where visit {}", "then visit within 1 day ".repeat(links));
    assert_eq!(found(&chain(15)), [] as [&str; 0]);
    assert_eq!(found(&chain(16)), ["HS0211"]);
    assert!(!found(&format!("segment s where {}", "a(".repeat(20_000))).is_empty());
    assert!(!found(&format!("segment s where {}", "a ".repeat(20_000))).is_empty());
    assert!(found(&format!("segment s where {}", "has lab(".repeat(5_000))).contains(&"HS0209"));
    let comma_list =
        |count: usize| format!("segment s where zip in ({})", vec!["\"10001\""; count].join(","));
    let long = check(&comma_list(100_001), &Schema::built_in());
    assert!(long.diagnostics.iter().any(|finding| finding.code == "HS0211"));
    assert_eq!(found(&" ".repeat((4 << 20) + 1)), ["HS0210"]);
    // Only checked: without optimisation a million tokens take seconds.
    let million = check(&"a ".repeat(1_000_001), &Schema::built_in());
    assert!(million.diagnostics.iter().any(|finding| finding.code == "HS0210"));
    let many = format!("segment s where {}", vec!["gendr = female"; 500].join(" and "));
    let codes = found(&many);
    assert_eq!(codes.len(), 201);
    assert_eq!(codes.last(), Some(&"HS0214"));
    let doubtful = format!("segment s where {} and gendr = female", vec!["age > 3"; 500].join(" and "));
    let codes = found(&doubtful);
    assert!(codes.contains(&"HS0101"));
    let doubtful = format!("segment s where {}", vec!["not age = 1"; 500].join(" and "));
    assert_eq!(found(&doubtful).last(), Some(&"HS0909"));
    assert!(!check(&doubtful, &Schema::built_in()).has_errors());
}

#[test]
fn defines_that_double_are_refused() {
    let mut source = String::from("define a0 = age > 3 or gender = female\n");
    for n in 1..40 {
        source.push_str(&format!("define a{n} = a{} and a{}\n", n - 1, n - 1));
    }
    source.push_str("segment s where a39\n");
    assert!(found(&source).contains(&"HS0508"));
    let mut chain = String::from("define a0 = age > 3\n");
    for n in 1..5_000 {
        chain.push_str(&format!("define a{n} = not not a{}\n", n - 1));
    }
    chain.push_str("segment s where a4999\n");
    assert!(found(&chain).contains(&"HS0508"));
    let mut sets = String::from("valueset a0 = CPT { \"1\" }\n");
    for n in 1..5_000 {
        sets.push_str(&format!("valueset a{n} = @a{}\n", n - 1));
    }
    sets.push_str("segment s where has procedure(code in @a4999)\n");
    let _ = found(&sets);
}

#[test]
fn a_list_of_thirty_thousand_values() {
    let zips: Vec<String> = (0..30_000).map(|zip| format!("\"{zip:05}\"")).collect();
    let source = format!("segment s\n  where zip in ({})\n", zips.join(", "));
    let started = std::time::Instant::now();
    assert_eq!(found(&source), [] as [&str; 0]);
    eprintln!("30,000 values: {:?}", started.elapsed());
    let checked = check(&source, &Schema::built_in());
    assert!(checked.segments[0].criteria[0].label.len() < 200);
}

#[test]
fn carets() {
    let source = "segment s\n\twhere gender = femail\n    and first_name = \"Zoë 東京\" and cty = \"x\"\n    and (age > 3\n";
    let found = check(source, &Schema::built_in());
    let expected = "\
error[HS0104]: unknown category `femail` of field `gender`
 --> dir/s.seg:2:17
  |
2 |     where gender = femail
  |                    ^^^^^^
  = help: did you mean `female`? categories: female, male, nonbinary, other

error[HS0101]: unknown field `cty`
 --> dir/s.seg:3:35
  |
3 |     and first_name = \"Zoë 東京\" and cty = \"x\"
  |                                     ^^^
  = help: did you mean `city`?

error[HS0201]: expected `and`, `or` or `)`, found the end of the text
 --> dir/s.seg:4:17
  |
4 |     and (age > 3
  |                 ^
4 |     and (age > 3
  |         - opened here
";
    assert_eq!(render(source, "dir/s.seg", &found.diagnostics, false), expected);
    let colored = render(source, "dir/s.seg", &found.diagnostics[..1], true);
    assert!(colored.starts_with("\u{1b}[1;31merror[HS0104]\u{1b}[0m"));
    let hostile = "segment s where \u{1b}[31m\u{202e}";
    let text = render(hostile, "s\u{7}.seg", &check(hostile, &Schema::built_in()).diagnostics, false);
    assert!(!text.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{text}");
}

#[test]
fn places_stand_in_the_order_of_their_lines() {
    let source = "define a = age > 5\ndefine a = age > 6\nsegment s where a\n";
    let text = render(source, "s", &check(source, &Schema::built_in()).diagnostics, false);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("no `{words}` in\n{text}"));
    assert!(at(" --> s:2:8") < at("1 | define"), "{text}");
    assert!(at("1 | define") < at("- first here") && at("- first here") < at("2 | define"), "{text}");
}

#[test]
fn spans_over_lines_and_long_lines_are_cut() {
    let source = "segment s where age in 74\n  ..\n  50";
    let text = render(source, "s", &check(source, &Schema::built_in()).diagnostics, false);
    assert!(text.contains("1 | segment s where age in 74\n  |                        ^^...\n"), "{text}");
    let long = format!("segment s where {} gendr = female", "everyone and ".repeat(1000));
    let text = render(&long, "s", &check(&long, &Schema::built_in()).diagnostics, false);
    assert!(text.lines().all(|line| line.chars().count() < 300), "{text}");
}

/// Deterministic pseudo-random numbers; not for anything else.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }
}

const VALID: &str = include_str!("everything.seg");

#[test]
fn random_and_mutated_texts_never_panic() {
    let pieces: Vec<&str> = VALID.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
    let mut numbers = Numbers(7);
    for round in 0..120 {
        let mut text: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        for _ in 0..=numbers.next(6) {
            let (at, from) = (numbers.next(text.len()), numbers.next(pieces.len()));
            match numbers.next(4) {
                0 => drop(text.remove(at)),
                1 => text[at] = pieces[from].to_owned(),
                2 => text.insert(at, pieces[from].to_owned()),
                _ => text.insert(
                    at,
                    ["(", ")", "\"", "/*", "é", "\u{0}", "segment ", "..", "$", "\\"][numbers.next(10)]
                        .to_owned(),
                ),
            }
        }
        let whole = text.concat();
        let cut = whole.char_indices().nth(numbers.next(2 * whole.len())).map_or(whole.len(), |(at, _)| at);
        let _ = found(&whole[..cut]);
        if round % 4 == 0 {
            let bytes: Vec<u8> =
                (0..numbers.next(400)).map(|_| u8::try_from(numbers.next(256)).unwrap()).collect();
            let _ = found(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn comments_anywhere_survive_formatting() {
    let mut numbers = Numbers(3);
    let gaps: Vec<usize> =
        VALID.char_indices().filter(|(_, c)| *c == ' ' || *c == '\n').map(|(at, _)| at).collect();
    let plain = check(VALID, &Schema::built_in()).segments;
    for round in 0..60 {
        let mut source = VALID.to_owned();
        let mut marks = Vec::new();
        let mut places: Vec<usize> = (0..=numbers.next(4)).map(|_| gaps[numbers.next(gaps.len())]).collect();
        places.sort_unstable();
        places.dedup();
        for (n, at) in places.iter().enumerate().rev() {
            // Inside of a text or a comment nothing is a comment.
            let line = VALID[..*at].rsplit('\n').next().unwrap();
            if line.matches('"').count() % 2 == 1 || line.contains("//") {
                continue;
            }
            let mark = format!("c{round}_{n}");
            let comment = match numbers.next(3) {
                0 => format!(" // {mark}\n"),
                1 => format!(" /* {mark} */ "),
                _ => format!("\n// {mark}\n"),
            };
            source.insert_str(*at, &comment);
            marks.push(mark);
        }
        let once = format(&source).unwrap_or_else(|found| panic!("{}", render(&source, "c", &found, false)));
        for mark in &marks {
            assert_eq!(once.matches(mark.as_str()).count(), 1, "{mark} in\n{source}\n---\n{once}");
        }
        assert_eq!(format(&once).as_deref(), Ok(once.as_str()), "of\n{source}\n--- once\n{once}");
        assert_eq!(check(&once, &Schema::built_in()).segments, plain, "of\n{source}\n--- once\n{once}");
    }
}
