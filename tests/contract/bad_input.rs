//! What is malformed or not allowed is refused with the documented code and reason, on every method, and leaves nothing
//! behind.

mod administration;
mod anybody;
mod cards;
mod case;
mod consents;
mod contacts;
mod corrections;
mod events;
mod families;
mod giving;
mod holds;
mod invitations;
mod occasions;
mod parties;
mod people;
mod postings;
mod privacy;
mod referrals;
mod rewards;
mod sharing;
mod standing;
mod surveys;
mod terms;
mod tiers;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fealty::services::ServiceName;
use fealty_proto::methods;
use fealty_tests::bounded::within;

use self::case::{Case, check};
use self::world::World;
use crate::{FEALTY, suite};
use fealty_tests::suite::{Options, Suite};

const BOUND: Duration = Duration::from_mins(6);

/// Their requests have no fields: nothing in them can be wrong.
const WITHOUT_FIELDS: [&str; 4] = [
    "/fealty.members.v1.ContactService/GetContactSettings",
    "/fealty.members.v1.OccasionService/GetProgramDays",
    "/fealty.members.v1.ProgramService/GetProgram",
    "/fealty.members.v1.ReferralService/GetReferralSettings",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses_who_may_not_call_it_and_what_is_no_message() {
    within(BOUND, async {
        // A suite of its own, because nothing may change in it meanwhile.
        let suite = Suite::start(Options::new(FEALTY));
        let world = Box::pin(World::of(&suite)).await;
        let cases: Vec<Case> = methods()
            .iter()
            .flat_map(|(path, method)| anybody::cases(&world, path, *method))
            .collect();
        assert_refused_without_a_trace(&world, &cases).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_names_every_bad_field_and_knows_nothing_of_other_programs() {
    within(BOUND, async {
        let suite = Suite::start(Options::new(FEALTY));
        let world = Box::pin(World::of(&suite)).await;
        let cases: Vec<Case> = [
            administration::cases,
            parties::cases,
            cards::cases,
            people::cases,
            terms::cases,
            corrections::cases,
            giving::cases,
            postings::cases,
            sharing::cases,
            standing::cases,
            families::cases,
            referrals::cases,
            consents::cases,
            contacts::cases,
            tiers::cases,
            occasions::cases,
            holds::cases,
            privacy::cases,
            rewards::cases,
            surveys::cases,
            invitations::cases,
            events::cases,
        ]
        .into_iter()
        .flat_map(|cases| cases(&world))
        .collect();
        let covered: BTreeSet<&str> = cases
            .iter()
            .map(|case| case.path.as_str())
            .chain(WITHOUT_FIELDS)
            .collect();
        let missing: Vec<&String> = methods()
            .keys()
            .filter(|path| !covered.contains(path.as_str()))
            .collect();
        events::assert_streams_stay_apart(&world).await;
        assert_refused_without_a_trace(&world, &cases).await;
        assert!(missing.is_empty(), "no case of bad input for {missing:#?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_method_is_unimplemented() {
    within(BOUND, async {
        let raw = fealty_tests::raw::Raw::to(suite().addresses().of(ServiceName::Ledger));
        let authorization = format!("Bearer {}", suite().key());
        let headers = [("authorization", authorization.as_str())];
        let path = "/fealty.ledger.v1.PurchaseService/StealPurchase";
        let refused = raw
            .call(path, &headers, Vec::new())
            .await
            .expect_err("there is none");
        let refused = fealty_tests::raw::Refusal::of(&refused);
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (tonic::Code::Unimplemented, "METHOD_UNKNOWN")
        );
    })
    .await;
}

/// All cases are tried before the first wrong one fails the test: the table is read as a whole.
async fn assert_refused_without_a_trace(world: &World, cases: &[Case]) {
    let before = world.database.settled_row_counts().await;
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(why) = check(world, case).await {
            wrong.push(why);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    let after = world.database.row_counts().await;
    let changed: BTreeMap<_, _> = after
        .iter()
        .filter(|(table, count)| before.get(*table) != Some(count))
        .collect();
    assert!(
        changed.is_empty(),
        "rows have come or gone: {changed:?}, before {before:?}"
    );
}
