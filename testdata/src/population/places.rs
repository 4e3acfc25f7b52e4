//! Places: real ZIP codes with their city, county, state, zone and centroid (US Census ZCTA gazetteer).
//!
//! Weighted so that an imaginary health system has three in ten contacts in its home states (MA, ME, NH) and the
//! others in every state and territory.

use super::dice::Dice;

/// One ZIP code.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) zip: &'static str,
    pub(super) city: &'static str,
    pub(super) county: &'static str,
    pub(super) state: &'static str,
    pub(super) zone: &'static str,
    /// Offset of the zone's standard time. Daylight saving is ignored: it only decides at what time of day records
    /// happen, and a clinic that opens an hour late in summer harms nobody.
    pub(super) utc_offset_hours: i64,
    /// Centroid, degrees north and east.
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// Shares of the population in percent.
    pub(super) hispanic: u32,
    pub(super) black: u32,
    pub(super) asian: u32,
}

/// The centroids of all ZIP codes as CSV, as `import zip` reads it.
pub(super) fn centroids() -> String {
    let mut lines: Vec<String> = PLACES
        .iter()
        .map(|(_, place)| format!("{},{},{}\n", place.zip, place.latitude, place.longitude))
        .collect();
    lines.sort();
    lines.dedup();
    format!("zip,lat,lon\n{}", lines.concat())
}

/// Draws the place of a household.
pub(super) fn place(dice: &mut Dice) -> Place {
    dice.weighted(PLACES)
}

const fn zip(
    zip: &'static str,
    names: [&'static str; 3],
    zone: (&'static str, i64),
    point: (f64, f64),
    shares: [u32; 3],
) -> Place {
    let [city, county, state] = names;
    let (zone, utc_offset_hours) = zone;
    let (latitude, longitude) = point;
    let [hispanic, black, asian] = shares;
    Place { zip, city, county, state, zone, utc_offset_hours, latitude, longitude, hispanic, black, asian }
}

const E: (&str, i64) = ("America/New_York", -5);
const C: (&str, i64) = ("America/Chicago", -6);
const M: (&str, i64) = ("America/Denver", -7);
const P: (&str, i64) = ("America/Phoenix", -7);
const W: (&str, i64) = ("America/Los_Angeles", -8);
const K: (&str, i64) = ("America/Anchorage", -9);
const H: (&str, i64) = ("Pacific/Honolulu", -10);
const S: (&str, i64) = ("Pacific/Pago_Pago", -11);
const G: (&str, i64) = ("Pacific/Guam", 10);
const R: (&str, i64) = ("America/Puerto_Rico", -4);

/// Weight and place. Every state and territory is there, none with less than 2.
const PLACES: &[(u32, Place)] = &[
    (11, zip("35203", ["Birmingham", "Jefferson", "AL"], C, (33.5184, -86.8101), [6, 26, 3])),
    (5, zip("35801", ["Huntsville", "Madison", "AL"], C, (34.7246, -86.5655), [6, 26, 3])),
    (5, zip("99501", ["Anchorage", "Anchorage", "AK"], K, (61.2200, -149.8578), [6, 4, 7])),
    (16, zip("85004", ["Phoenix", "Maricopa", "AZ"], P, (33.4516, -112.0699), [31, 4, 3])),
    (7, zip("85701", ["Tucson", "Pima", "AZ"], P, (32.2170, -110.9713), [31, 4, 3])),
    (9, zip("72201", ["Little Rock", "Pulaski", "AR"], C, (34.7470, -92.2809), [6, 15, 3])),
    (30, zip("90012", ["Los Angeles", "Los Angeles", "CA"], W, (34.0660, -118.2386), [39, 6, 15])),
    (14, zip("90022", ["Los Angeles", "Los Angeles", "CA"], W, (34.0237, -118.1563), [39, 6, 15])),
    (16, zip("92101", ["San Diego", "San Diego", "CA"], W, (32.7178, -117.1721), [39, 6, 15])),
    (12, zip("94103", ["San Francisco", "San Francisco", "CA"], W, (37.7730, -122.4113), [39, 6, 15])),
    (11, zip("95112", ["San Jose", "Santa Clara", "CA"], W, (37.3446, -121.8834), [39, 6, 15])),
    (10, zip("95814", ["Sacramento", "Sacramento", "CA"], W, (38.5806, -121.4956), [39, 6, 15])),
    (9, zip("93721", ["Fresno", "Fresno", "CA"], W, (36.7328, -119.7838), [39, 6, 15])),
    (12, zip("80202", ["Denver", "Denver", "CO"], M, (39.7515, -104.9977), [22, 4, 3])),
    (5, zip("80903", ["Colorado Springs", "El Paso", "CO"], M, (38.8328, -104.8138), [22, 4, 3])),
    (10, zip("06103", ["Hartford", "Hartford", "CT"], E, (41.7651, -72.6708), [17, 11, 3])),
    (4, zip("19901", ["Dover", "Kent", "DE"], E, (39.1815, -75.4735), [10, 22, 3])),
    (4, zip("20009", ["Washington", "District of Columbia", "DC"], E, (38.9191, -77.0374), [11, 44, 3])),
    (18, zip("33130", ["Miami", "Miami-Dade", "FL"], E, (25.7685, -80.2034), [26, 15, 3])),
    (12, zip("33602", ["Tampa", "Hillsborough", "FL"], E, (27.9537, -82.4563), [26, 15, 3])),
    (11, zip("32801", ["Orlando", "Orange", "FL"], E, (28.5418, -81.3744), [26, 15, 3])),
    (9, zip("32202", ["Jacksonville", "Duval", "FL"], E, (30.3246, -81.6472), [26, 15, 3])),
    (5, zip("34102", ["Naples", "Collier", "FL"], E, (26.1375, -81.7991), [26, 15, 3])),
    (18, zip("30303", ["Atlanta", "Fulton", "GA"], E, (33.7528, -84.3902), [10, 32, 3])),
    (6, zip("31401", ["Savannah", "Chatham", "GA"], E, (32.0683, -81.0928), [10, 32, 3])),
    (5, zip("96813", ["Honolulu", "Honolulu", "HI"], H, (21.3165, -157.8451), [11, 4, 50])),
    (5, zip("83702", ["Boise", "Ada", "ID"], M, (43.6655, -116.1444), [13, 4, 3])),
    (20, zip("60608", ["Chicago", "Cook", "IL"], C, (41.8469, -87.6707), [18, 14, 6])),
    (6, zip("60505", ["Aurora", "Kane", "IL"], C, (41.7654, -88.2961), [18, 14, 6])),
    (5, zip("62701", ["Springfield", "Sangamon", "IL"], C, (39.8005, -89.6489), [18, 14, 6])),
    (14, zip("46204", ["Indianapolis", "Marion", "IN"], E, (39.7706, -86.1571), [6, 10, 3])),
    (8, zip("50309", ["Des Moines", "Polk", "IA"], C, (41.5842, -93.6220), [6, 4, 3])),
    (7, zip("67202", ["Wichita", "Sedgwick", "KS"], C, (37.6870, -97.3349), [13, 6, 3])),
    (10, zip("40202", ["Louisville", "Jefferson", "KY"], E, (38.2528, -85.7519), [6, 8, 3])),
    (7, zip("70112", ["New Orleans", "Orleans", "LA"], C, (29.9561, -90.0773), [6, 32, 3])),
    (5, zip("70801", ["Baton Rouge", "East Baton Rouge", "LA"], C, (30.4496, -91.1860), [6, 32, 3])),
    (36, zip("04101", ["Portland", "Cumberland", "ME"], E, (43.6626, -70.2579), [6, 4, 3])),
    (24, zip("04401", ["Bangor", "Penobscot", "ME"], E, (44.8485, -68.8504), [6, 4, 3])),
    (14, zip("21201", ["Baltimore", "Baltimore City", "MD"], E, (39.2950, -76.6223), [11, 30, 7])),
    (84, zip("02118", ["Boston", "Suffolk", "MA"], E, (42.3379, -71.0698), [13, 8, 7])),
    (54, zip("02139", ["Cambridge", "Middlesex", "MA"], E, (42.3624, -71.1023), [13, 8, 7])),
    (42, zip("01608", ["Worcester", "Worcester", "MA"], E, (42.2621, -71.8014), [13, 8, 7])),
    (30, zip("01103", ["Springfield", "Hampden", "MA"], E, (42.1044, -72.5901), [13, 8, 7])),
    (24, zip("02740", ["New Bedford", "Bristol", "MA"], E, (41.6382, -70.9384), [13, 8, 7])),
    (14, zip("48226", ["Detroit", "Wayne", "MI"], E, (42.3318, -83.0504), [6, 14, 3])),
    (7, zip("49503", ["Grand Rapids", "Kent", "MI"], E, (42.9621, -85.6594), [6, 14, 3])),
    (10, zip("55401", ["Minneapolis", "Hennepin", "MN"], C, (44.9854, -93.2702), [6, 7, 5])),
    (6, zip("55101", ["St. Paul", "Ramsey", "MN"], C, (44.9508, -93.0876), [6, 7, 5])),
    (7, zip("39201", ["Jackson", "Hinds", "MS"], C, (32.2896, -90.1843), [6, 37, 3])),
    (8, zip("63103", ["St. Louis", "St. Louis City", "MO"], C, (38.6298, -90.2171), [6, 11, 3])),
    (6, zip("64106", ["Kansas City", "Jackson", "MO"], C, (39.1053, -94.5701), [6, 11, 3])),
    (4, zip("59101", ["Billings", "Yellowstone", "MT"], M, (45.6071, -108.3415), [6, 4, 3])),
    (6, zip("68102", ["Omaha", "Douglas", "NE"], C, (41.2615, -95.9325), [12, 4, 3])),
    (9, zip("89101", ["Las Vegas", "Clark", "NV"], W, (36.1728, -115.1223), [29, 9, 9])),
    (36, zip("03101", ["Manchester", "Hillsborough", "NH"], E, (42.9890, -71.4661), [6, 4, 3])),
    (21, zip("03301", ["Concord", "Merrimack", "NH"], E, (43.2386, -71.5563), [6, 4, 3])),
    (12, zip("07102", ["Newark", "Essex", "NJ"], E, (40.7357, -74.1736), [21, 13, 10])),
    (7, zip("08608", ["Trenton", "Mercer", "NJ"], E, (40.2191, -74.7668), [21, 13, 10])),
    (6, zip("87102", ["Albuquerque", "Bernalillo", "NM"], M, (35.0824, -106.6467), [48, 4, 3])),
    (20, zip("10027", ["New York", "New York", "NY"], E, (40.8127, -73.9550), [19, 15, 9])),
    (18, zip("11201", ["Brooklyn", "Kings", "NY"], E, (40.6937, -73.9899), [19, 15, 9])),
    (12, zip("10458", ["Bronx", "Bronx", "NY"], E, (40.8625, -73.8864), [19, 15, 9])),
    (7, zip("14202", ["Buffalo", "Erie", "NY"], E, (42.8815, -78.8775), [19, 15, 9])),
    (5, zip("12207", ["Albany", "Albany", "NY"], E, (42.6555, -73.7476), [19, 15, 9])),
    (12, zip("28202", ["Charlotte", "Mecklenburg", "NC"], E, (35.2273, -80.8442), [10, 21, 3])),
    (9, zip("27601", ["Raleigh", "Wake", "NC"], E, (35.7737, -78.6346), [10, 21, 3])),
    (4, zip("58102", ["Fargo", "Cass", "ND"], C, (46.9272, -96.8348), [6, 4, 3])),
    (12, zip("43215", ["Columbus", "Franklin", "OH"], E, (39.9669, -83.0130), [6, 13, 3])),
    (10, zip("44113", ["Cleveland", "Cuyahoga", "OH"], E, (41.4832, -81.6972), [6, 13, 3])),
    (7, zip("45202", ["Cincinnati", "Hamilton", "OH"], E, (39.1067, -84.5042), [6, 13, 3])),
    (9, zip("73102", ["Oklahoma City", "Oklahoma", "OK"], C, (35.4707, -97.5191), [12, 7, 3])),
    (10, zip("97204", ["Portland", "Multnomah", "OR"], W, (45.5184, -122.6739), [14, 4, 5])),
    (18, zip("19107", ["Philadelphia", "Philadelphia", "PA"], E, (39.9518, -75.1587), [6, 11, 3])),
    (11, zip("15222", ["Pittsburgh", "Allegheny", "PA"], E, (40.4496, -79.9907), [6, 11, 3])),
    (9, zip("02903", ["Providence", "Providence", "RI"], E, (41.8192, -71.4102), [17, 4, 3])),
    (6, zip("29201", ["Columbia", "Richland", "SC"], E, (33.9825, -81.0281), [6, 26, 3])),
    (5, zip("29401", ["Charleston", "Charleston", "SC"], E, (32.7772, -79.9320), [6, 26, 3])),
    (4, zip("57104", ["Sioux Falls", "Minnehaha", "SD"], C, (43.6030, -96.7043), [6, 4, 3])),
    (9, zip("37203", ["Nashville", "Davidson", "TN"], C, (36.1498, -86.7891), [6, 16, 3])),
    (7, zip("38103", ["Memphis", "Shelby", "TN"], C, (35.1531, -90.0565), [6, 16, 3])),
    (20, zip("77002", ["Houston", "Harris", "TX"], C, (29.7568, -95.3657), [39, 12, 5])),
    (15, zip("75201", ["Dallas", "Dallas", "TX"], C, (32.7883, -96.7996), [39, 12, 5])),
    (14, zip("78205", ["San Antonio", "Bexar", "TX"], C, (29.4239, -98.4864), [39, 12, 5])),
    (11, zip("78701", ["Austin", "Travis", "TX"], C, (30.2706, -97.7426), [39, 12, 5])),
    (8, zip("79901", ["El Paso", "El Paso", "TX"], M, (31.7594, -106.4801), [39, 12, 5])),
    (8, zip("84101", ["Salt Lake City", "Salt Lake", "UT"], M, (40.7563, -111.9000), [15, 4, 3])),
    (7, zip("05401", ["Burlington", "Chittenden", "VT"], E, (44.4752, -73.2179), [6, 4, 3])),
    (9, zip("23219", ["Richmond", "Richmond City", "VA"], E, (37.5406, -77.4347), [10, 19, 7])),
    (7, zip("22201", ["Arlington", "Arlington", "VA"], E, (38.8868, -77.0950), [10, 19, 7])),
    (14, zip("98101", ["Seattle", "King", "WA"], W, (47.6109, -122.3364), [14, 4, 10])),
    (5, zip("99201", ["Spokane", "Spokane", "WA"], W, (47.6625, -117.4367), [14, 4, 10])),
    (5, zip("25301", ["Charleston", "Kanawha", "WV"], E, (38.3513, -81.6280), [6, 4, 3])),
    (10, zip("53202", ["Milwaukee", "Milwaukee", "WI"], C, (43.0497, -87.8924), [6, 6, 3])),
    (5, zip("53703", ["Madison", "Dane", "WI"], C, (43.0796, -89.3784), [6, 6, 3])),
    (4, zip("82001", ["Cheyenne", "Laramie", "WY"], M, (41.1001, -104.9249), [10, 4, 3])),
    (2, zip("96799", ["Pago Pago", "Eastern", "AS"], S, (-14.2781, -170.7020), [6, 4, 3])),
    (2, zip("96910", ["Hagatna", "Guam", "GU"], G, (13.4745, 144.7504), [6, 4, 45])),
    (2, zip("96950", ["Saipan", "Saipan", "MP"], G, (15.1869, 145.7545), [6, 4, 50])),
    (7, zip("00901", ["San Juan", "San Juan", "PR"], R, (18.4666, -66.1080), [96, 4, 3])),
    (2, zip("00802", ["Charlotte Amalie", "St. Thomas", "VI"], R, (18.3419, -64.9307), [6, 72, 3])),
];
