//! "Women of an age in three of twenty states" over the same contacts as they came, and by state, gender and date of birth;
//! and the addresses of those who were found.

use std::ops::Range;

use arrow::array::{AsArray, FixedSizeBinaryArray, Int32Array, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::Int32Type;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::{Scale, Work, kb, medians, ms};
use crate::files::{Column, File, PAGE_ROWS};

const STATES: u8 = 20;
const WANTED: [u8; 3] = [4, 9, 17];
const WOMEN: u8 = 1;
/// Days since 1970, as dates are packed.
const BORN: Range<i32> = -3_650 * 4..3_650 * 4;
const IDENTITY_PAGE_ROWS: usize = 1 << 11;

type Contact = (u8, u8, i32, u32);

/// A shard.
struct Shard {
    file: File,
    identity: File,
    /// Blocks in which somebody may be of a wanted state.
    left: Vec<Range<usize>>,
    blocks: usize,
}

impl Shard {
    fn new(contacts: &[Contact]) -> Self {
        let bytes = |of: fn(&Contact) -> u8| {
            let bytes = Buffer::from_vec(contacts.iter().map(of).collect::<Vec<u8>>());
            FixedSizeBinaryArray::try_new(1, bytes, None).unwrap()
        };
        let columns = [
            Column::plain("state", bytes(|contact| contact.0)),
            Column::plain("gender", bytes(|contact| contact.1)),
            Column::plain("birth", Int32Array::from_iter_values(contacts.iter().map(|contact| contact.2))),
        ];
        let address = |contact: &Contact| format!("person.number.{:07}@mail.example", contact.3);
        let addresses = Column::plain("email", StringArray::from_iter_values(contacts.iter().map(address)));
        let mut left = Vec::new();
        for (number, block) in contacts.chunks(PAGE_ROWS).enumerate() {
            let states = || block.iter().map(|contact| contact.0);
            let bounds = states().min().unwrap()..=states().max().unwrap();
            if WANTED.iter().any(|state| bounds.contains(state)) {
                left.push(number * PAGE_ROWS..number * PAGE_ROWS + block.len());
            }
        }
        let identity = File::write(&[addresses], IDENTITY_PAGE_ROWS);
        Self {
            file: File::write(&columns, PAGE_ROWS),
            identity,
            left,
            blocks: contacts.len().div_ceil(PAGE_ROWS),
        }
    }

    /// Rows of those who are asked for.
    fn members(&self) -> Vec<usize> {
        let mut rows = self.left.iter().cloned().flatten();
        let mut found = Vec::new();
        for batch in self.file.read(&["state", "gender", "birth"], Some(&self.left)) {
            let batch = batch.unwrap();
            let states = batch.column(0).as_fixed_size_binary().value_data();
            let genders = batch.column(1).as_fixed_size_binary().value_data();
            let births = batch.column(2).as_primitive::<Int32Type>().values();
            for (((state, gender), birth), row) in states.iter().zip(genders).zip(births).zip(&mut rows) {
                if WANTED.contains(state) && *gender == WOMEN && BORN.contains(birth) {
                    found.push(row);
                }
            }
        }
        found
    }

    /// Runs of some rows.
    fn runs(rows: &[usize]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for row in rows {
            match runs.last_mut() {
                Some(run) if run.end == *row => run.end += 1,
                _ => runs.push(*row..row + 1),
            }
        }
        runs
    }

    /// Kilobytes of pages of a criterion, and of addresses of who was found.
    fn bytes(&self, members: &[usize]) -> [usize; 2] {
        let criterion =
            ["state", "gender", "birth"].iter().map(|name| self.file.sealed(name, &self.left)).sum();
        [criterion, self.identity.sealed("email", &Self::runs(members))]
    }
}

/// Both orders.
pub fn contacts(scale: Scale) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let contact = |number| {
        let (state, gender) = (rng.random_range(0..STATES), rng.random_range(0..2));
        (state, gender, rng.random_range(-14_600..14_600) * 4, number)
    };
    let mut contacts: Vec<Contact> = (0..scale.rows as u32).map(contact).collect();
    let shards = |contacts: &[Contact]| contacts.chunks(scale.shard).map(Shard::new).collect::<Vec<_>>();
    let as_they_came = shards(&contacts);
    contacts.chunks_mut(scale.shard).for_each(<[Contact]>::sort_unstable);
    let sorted = shards(&contacts);
    let members = |shards: &[Shard]| shards.iter().map(Shard::members).collect::<Vec<_>>();
    let count = |members: &[Vec<usize>]| members.iter().map(Vec::len).sum::<usize>();
    let both = [members(&as_they_came), members(&sorted)];
    assert!(count(&both[0]) > 0 && count(&both[0]) == count(&both[1]));
    println!(
        "\n### Order of contacts: women of an age in three of {STATES} states, {} of {} contacts\n\n| order | blocks left | kB read | ms | addresses of them: kB read | ms |\n|---|---|---|---|---|---|",
        count(&both[0]),
        scale.rows
    );
    let addresses = |shards: &[Shard], members: &[Vec<usize>]| {
        let read = |(shard, rows): (&Shard, &Vec<usize>)| shard.identity.count(Some(&Shard::runs(rows)));
        assert_eq!(shards.iter().zip(members).map(read).sum::<usize>(), count(members));
    };
    let mut works: Vec<Work<'_>> = Vec::new();
    for (shards, found) in [(&as_they_came, &both[0]), (&sorted, &both[1])] {
        works.push(Box::new(|| assert_eq!(count(&members(shards)), count(found))));
        works.push(Box::new(|| addresses(shards, found)));
    }
    let times = medians(scale.rounds, &mut works);
    for (number, (name, shards)) in [("as they came", &as_they_came), ("sorted", &sorted)].iter().enumerate()
    {
        let bytes = shards.iter().zip(&both[number]).map(|(shard, members)| shard.bytes(members));
        let bytes = bytes.fold([0, 0], |all, one| [all[0] + one[0], all[1] + one[1]]);
        let left: usize = shards.iter().map(|shard| shard.left.len()).sum();
        let blocks: usize = shards.iter().map(|shard| shard.blocks).sum();
        println!(
            "| {name} | {left} of {blocks} | {} | {} | {} | {} |",
            kb(bytes[0]),
            ms(times[2 * number]),
            kb(bytes[1]),
            ms(times[2 * number + 1])
        );
    }
}
