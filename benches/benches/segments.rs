//! Compile, every kind of leaf, whole counts and whole runs; audit records are durable as in production.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hyperseg_benches::{LEAVES, Named, SEGMENTS, WORKLOAD, contacts, engine, request, saved};
use hyperseg_dsl::schema::Schema;
use hyperseg_engine::{Engine, Guards};

/// One that an organisation asks for; compiled, it takes less than a millisecond, and the long list less than 20.
const REALISTIC: Named = Named {
    name: "spanish_mammogram",
    source: include_str!("../../testdata/segments/spanish_mammogram.seg"),
};

fn compile(criterion: &mut Criterion) {
    let schema = Schema::built_in();
    let mut group = criterion.benchmark_group("compile");
    for Named { name, source } in SEGMENTS.iter().chain([&REALISTIC]) {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| hyperseg_dsl::check(black_box(source), &schema))
        });
    }
    let long = long_list();
    group.sample_size(20);
    group.bench_function("list_of_30000", |bencher| {
        bencher.iter(|| hyperseg_dsl::check(black_box(&long), &schema))
    });
    group.finish();
}

/// A list of 30,000 ZIP codes.
fn long_list() -> String {
    let items: Vec<String> = (0..30_000).map(|number| format!("\"{number:05}\"")).collect();
    format!("segment s where zip in ({})", items.join(", "))
}

/// From the text to the logical plan, before DataFusion's optimizer sees it: parse, resolve, lower.
fn lower(criterion: &mut Criterion) {
    const CONTACTS: u64 = 1_000;
    let Ok(engine) = engine(CONTACTS, 0) else { return };
    let schema = Schema::built_in();
    let once = |source: &str| {
        let started = Instant::now();
        black_box(hyperseg_dsl::check(black_box(source), &schema));
        let compiled = started.elapsed();
        let request = request(&engine, source).ok()?;
        let plan = engine.plan_blocking(&request, false).ok()?;
        Some(compiled + Duration::from_micros(plan.times.lower_micros))
    };
    let mut group = criterion.benchmark_group("lower");
    let long = long_list();
    let sources = SEGMENTS.iter().chain([&REALISTIC]).map(|named| (named.name, named.source));
    for (name, source) in sources.chain([("list_of_30000", long.as_str())]) {
        group.sample_size(20).bench_function(name, |bencher| {
            bencher.iter_custom(|times| (0..times).filter_map(|_| once(source)).sum());
        });
    }
    group.finish();
}

/// From the text to a physical plan, nothing read: parse, resolve, lower, optimize. The plan is over a small population, since
/// its size makes no difference.
fn plan(criterion: &mut Criterion) {
    const CONTACTS: u64 = 1_000;
    let Ok(engine) = engine(CONTACTS, 0) else { return };
    let mut group = criterion.benchmark_group("plan");
    for Named { name, source } in SEGMENTS.iter().chain([&REALISTIC]) {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let request = request(&engine, black_box(source));
                request.ok().map(|request| engine.plan_blocking(&request, false))
            });
        });
    }
    let long = long_list();
    group.sample_size(20);
    group.bench_function("list_of_30000", |bencher| {
        bencher.iter(|| {
            let request = request(&engine, black_box(&long));
            request.ok().map(|request| engine.plan_blocking(&request, false))
        });
    });
    group.finish();
}

/// Name and text of a segment.
type Text = (&'static str, String);

fn named(segments: &[Named]) -> Vec<Text> {
    segments.iter().map(|named| (named.name, named.source.to_owned())).collect()
}

fn counts(criterion: &mut Criterion, name: &str, engine: &Engine, segments: &[Text]) {
    let mut group = criterion.benchmark_group(format!("{name}/{}", contacts()));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, source) in segments {
        let Ok(request) = request(engine, source) else { continue };
        group.bench_function(*name, |bencher| bencher.iter(|| engine.count_blocking(black_box(&request))));
    }
    group.finish();
}

fn runs(criterion: &mut Criterion, name: &str, engine: &Engine, segments: &[Text]) {
    let mut group = criterion.benchmark_group(format!("{name}/{}", contacts()));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, source) in segments {
        let Ok(request) = request(engine, source) else { continue };
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let recipients = engine.run_blocking(black_box(&request), Guards::default());
                recipients.map(|recipients| {
                    recipients.filter_map(Result::ok).map(|batch| batch.num_rows()).sum::<usize>()
                })
            });
        });
    }
    group.finish();
}

/// A count again after one of seven criteria was edited, to something never asked before.
fn recount(criterion: &mut Criterion) {
    let Ok(engine) = engine(contacts(), 64 << 20) else { return };
    let Some(all) = WORKLOAD.iter().find(|asked| asked.name == "all_of_it") else { return };
    let mut group = criterion.benchmark_group(format!("recount/{}", contacts()));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let mut edit = 0;
    group.bench_function("one_criterion_edited", |bencher| {
        bencher.iter_batched(
            || {
                edit += 1;
                request(&engine, &format!("{} and income > {}", all.count_text(), 20_000 + edit))
            },
            |request| request.ok().map(|request| engine.count_blocking(&request)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Saved segments refreshed together, and one by one.
fn batch(criterion: &mut Criterion) {
    let Ok(engine) = engine(contacts(), 0) else { return };
    let requests: Vec<_> = saved().iter().filter_map(|text| request(&engine, text).ok()).collect();
    let mut group = criterion.benchmark_group(format!("batch/{}", contacts()));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("together", |bencher| bencher.iter(|| engine.count_all_blocking(&requests)));
    group.bench_function("one_by_one", |bencher| {
        bencher.iter(|| requests.iter().filter(|request| engine.count_blocking(request).is_ok()).count());
    });
    group.finish();
}

fn queries(criterion: &mut Criterion) {
    match engine(contacts(), 0) {
        Ok(engine) => {
            counts(criterion, "leaf", &engine, &named(LEAVES));
            counts(criterion, "count", &engine, &named(SEGMENTS));
            runs(criterion, "run", &engine, &named(SEGMENTS));
            let asked: Vec<Text> = WORKLOAD.iter().map(|asked| (asked.name, asked.count_text())).collect();
            counts(criterion, "workload_count", &engine, &asked);
            let lists = WORKLOAD.iter().map(|asked| (asked.name, asked.list_text("operations", "email")));
            let asked: Vec<Text> = lists.collect();
            runs(criterion, "workload_rows", &engine, &asked);
        }
        Err(error) => eprintln!("no population: {error}"),
    }
}

criterion_group!(benches, compile, lower, plan, queries, recount, batch);
criterion_main!(benches);
