//! What members refuses about occasions.

use fealty_proto::members::v1::{
    GetMemberDaysRequest, ListDueOccasionsRequest, MemberDay, OccasionKind, ProgramDay, SetMemberDaysRequest,
    SetProgramDaysRequest,
};
use fealty_proto::types::v1::Date;
use fealty_tests::shop::request_id;

use super::case::{Case, NAME_TOO_LONG, Table, invalid, not_found};
use super::world::World;

const NEW_YEAR: Date = Date {
    year: 0,
    month: 1,
    day: 1,
};

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [program_days, member_days, due]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn program_days(world: &World) -> Vec<Case> {
    let of = |day_code: &str, date| ProgramDay {
        day_code: day_code.to_owned(),
        display_name: "New Year".to_owned(),
        date,
    };
    let set = |days| SetProgramDaysRequest {
        request_id: request_id(),
        days,
    };
    Table::of(world, "/fealty.members.v1.OccasionService/SetProgramDays")
        .row(
            "no request id",
            &SetProgramDaysRequest::default(),
            invalid(&["request_id"]),
        )
        .row(
            "a day that is none, with a name without end, and one twice",
            &set(vec![
                of("new_year", Some(NEW_YEAR)),
                ProgramDay {
                    day_code: "New Year".to_owned(),
                    display_name: "x".repeat(NAME_TOO_LONG),
                    date: None,
                },
                of("new_year", Some(NEW_YEAR)),
            ]),
            invalid(&[
                "days[1].day_code",
                "days[1].display_name",
                "days[1].date",
                "days[2].day_code",
            ]),
        )
        .row(
            "a day that the year does not have",
            &set(vec![of(
                "leap",
                Some(Date {
                    year: 2023,
                    month: 2,
                    day: 29,
                }),
            )]),
            invalid(&["days[0].date.day"]),
        )
        .done()
}

fn member_days(world: &World) -> Vec<Case> {
    let of = |member_id: &str, date| SetMemberDaysRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        days: vec![MemberDay {
            day_code: "wedding".to_owned(),
            date: Some(date),
        }],
    };
    let set = Table::of(world, "/fealty.members.v1.OccasionService/SetMemberDays")
        .row(
            "nothing",
            &SetMemberDaysRequest::default(),
            invalid(&["request_id", "member_id"]),
        )
        .row(
            "a year, which is not kept",
            &of(
                &world.ours.member_id,
                Date {
                    year: 1999,
                    ..NEW_YEAR
                },
            ),
            invalid(&["days[0].date.year"]),
        )
        .row(
            "more days than there may be",
            &SetMemberDaysRequest {
                days: (0..1_000)
                    .map(|number| MemberDay {
                        day_code: format!("day-{number}"),
                        date: Some(NEW_YEAR),
                    })
                    .collect(),
                ..of(&world.ours.member_id, NEW_YEAR)
            },
            invalid(&["days"]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id, NEW_YEAR),
            not_found(),
        );
    let get = |member_id: &str| GetMemberDaysRequest {
        member_id: member_id.to_owned(),
    };
    let got = Table::of(world, "/fealty.members.v1.OccasionService/GetMemberDays")
        .row("nobody", &get(""), invalid(&["member_id"]))
        .row(
            "a member of another program",
            &get(&world.theirs.member_id),
            not_found(),
        );
    [set, got].into_iter().flat_map(Table::done).collect()
}

fn due(world: &World) -> Vec<Case> {
    Table::of(world, "/fealty.members.v1.OccasionService/ListDueOccasions")
        .row(
            "a window that is none",
            &ListDueOccasionsRequest {
                from_date: Some(Date {
                    year: 0,
                    month: 13,
                    day: 1,
                }),
                day_count: 32,
                kinds: vec![OccasionKind::Birthday.into(), OccasionKind::Birthday.into(), 99],
                ..ListDueOccasionsRequest::default()
            },
            invalid(&[
                "from_date.year",
                "from_date.day",
                "day_count",
                "kinds[1]",
                "kinds[2]",
            ]),
        )
        .pages(|page_size, page_token| ListDueOccasionsRequest {
            page_size,
            page_token,
            ..ListDueOccasionsRequest::default()
        })
        .done()
}
