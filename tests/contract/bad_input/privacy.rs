//! What is refused about erasures, retention, disclosures, exports and the record of reads.

use fealty_proto::access::v1::{ExportPersonalDataRequest, ListPersonalReadsRequest};
use fealty_proto::members::v1::{
    ConfirmErasureRequest, DisclosureBasis, EndContractRequest, EraseMemberRequest, ErasureCause,
    GetErasureRequest, GetRetentionRequest, LiftLegalHoldRequest, ListDisclosuresRequest,
    ListErasuresRequest, ListPurgeableMembersRequest, PlaceLegalHoldRequest, RecordDisclosureRequest,
};
use fealty_proto::types::v1::Date;
use fealty_tests::shop::request_id;
use tonic::Code;

use super::case::{Case, FAR_FUTURE, NAME_TOO_LONG, Table, bad_token, invalid, not_found, refused};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [erasures, contracts, holds, disclosures, exports]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn erasures(world: &World) -> Vec<Case> {
    let of = |member_id: &str| EraseMemberRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        cause: ErasureCause::MemberRequest.into(),
    };
    let mut cases = Table::of(world, "/fealty.members.v1.ErasureService/EraseMember")
        .row(
            "nothing",
            &EraseMemberRequest::default(),
            invalid(&["request_id", "member_id", "cause"]),
        )
        .row(
            "a cause that is none",
            &EraseMemberRequest {
                cause: 99,
                ..of(&world.ours.member_id)
            },
            invalid(&["cause"]),
        )
        .row(
            "a contract that goes on",
            &EraseMemberRequest {
                cause: ErasureCause::RetentionEnded.into(),
                ..of(&world.ours.member_id)
            },
            refused(Code::FailedPrecondition, "RETENTION_NOT_ENDED"),
        )
        .row("another shop's member", &of(&world.theirs.member_id), not_found())
        .done();
    let get = |erasure_id: &str| GetErasureRequest {
        erasure_id: erasure_id.to_owned(),
    };
    cases.extend(
        Table::of(world, "/fealty.members.v1.ErasureService/GetErasure")
            .row("nothing", &get(""), invalid(&["erasure_id"]))
            .row("no erasure", &get(&request_id()), not_found())
            .done(),
    );
    cases.extend(
        Table::of(world, "/fealty.members.v1.ErasureService/ListErasures")
            .pages(|page_size, page_token| ListErasuresRequest {
                page_size,
                page_token,
            })
            .done(),
    );
    let confirm = |erasure_id: &str, service: &str| ConfirmErasureRequest {
        erasure_id: erasure_id.to_owned(),
        service: service.to_owned(),
    };
    cases.extend(
        Table::of(world, "/fealty.members.v1.ErasureService/ConfirmErasure")
            .row("nothing", &confirm("", ""), invalid(&["erasure_id", "service"]))
            .row(
                "who has nothing to confirm",
                &confirm(&request_id(), "ledger"),
                invalid(&["service"]),
            )
            .row("no erasure", &confirm(&request_id(), "rewards"), not_found())
            .done(),
    );
    cases
}

fn contracts(world: &World) -> Vec<Case> {
    let day = |year, month, day| Some(Date { year, month, day });
    let of = |member_id: &str, end| EndContractRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        contract_end_date: end,
    };
    let mut cases = Table::of(world, "/fealty.members.v1.RetentionService/EndContract")
        .row(
            "nothing",
            &EndContractRequest::default(),
            invalid(&["request_id", "member_id", "contract_end_date"]),
        )
        .row(
            "a day that no calendar has",
            &of(&world.ours.member_id, day(2020, 2, 30)),
            invalid(&["contract_end_date"]),
        )
        .row(
            "a day to come",
            &of(&world.ours.member_id, day(2999, 1, 1)),
            invalid(&["contract_end_date"]),
        )
        .row(
            "another shop's member",
            &of(&world.theirs.member_id, day(2020, 3, 1)),
            not_found(),
        )
        .done();
    let get = |member_id: &str| GetRetentionRequest {
        member_id: member_id.to_owned(),
    };
    cases.extend(
        Table::of(world, "/fealty.members.v1.RetentionService/GetRetention")
            .row("nothing", &get(""), invalid(&["member_id"]))
            .row(
                "another shop's member",
                &get(&world.theirs.member_id),
                not_found(),
            )
            .done(),
    );
    cases.extend(
        Table::of(world, "/fealty.members.v1.RetentionService/ListPurgeableMembers")
            .pages(|page_size, page_token| ListPurgeableMembersRequest {
                page_size,
                page_token,
            })
            .done(),
    );
    cases
}

fn holds(world: &World) -> Vec<Case> {
    let of = |member_id: &str, case_reference: &str| PlaceLegalHoldRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        case_reference: case_reference.to_owned(),
    };
    let mut cases = Table::of(world, "/fealty.members.v1.RetentionService/PlaceLegalHold")
        .row(
            "nothing",
            &PlaceLegalHoldRequest::default(),
            invalid(&["request_id", "member_id", "case_reference"]),
        )
        .row(
            "a case without end",
            &of(&world.ours.member_id, &"x".repeat(NAME_TOO_LONG)),
            invalid(&["case_reference"]),
        )
        .row(
            "another shop's member",
            &of(&world.theirs.member_id, "7"),
            not_found(),
        )
        .done();
    let lift = |legal_hold_id: &str| LiftLegalHoldRequest {
        legal_hold_id: legal_hold_id.to_owned(),
    };
    cases.extend(
        Table::of(world, "/fealty.members.v1.RetentionService/LiftLegalHold")
            .row("nothing", &lift(""), invalid(&["legal_hold_id"]))
            .row("no hold", &lift(&request_id()), not_found())
            .done(),
    );
    cases
}

fn disclosures(world: &World) -> Vec<Case> {
    let of = |member_id: &str| RecordDisclosureRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        basis: DisclosureBasis::A.into(),
        recipient: "an auditor".to_owned(),
        content: "purchases".to_owned(),
        disclose_time: None,
    };
    let mut cases = Table::of(world, "/fealty.members.v1.DisclosureService/RecordDisclosure")
        .row(
            "nothing",
            &RecordDisclosureRequest::default(),
            invalid(&["request_id", "member_id", "basis", "recipient", "content"]),
        )
        .row(
            "a basis that is none, to a name without end, in time to come",
            &RecordDisclosureRequest {
                basis: 99,
                recipient: "x".repeat(NAME_TOO_LONG),
                disclose_time: Some(FAR_FUTURE),
                ..of(&world.ours.member_id)
            },
            invalid(&["basis", "recipient", "disclose_time"]),
        )
        .row("another shop's member", &of(&world.theirs.member_id), not_found())
        .done();
    let list = |member_id: &str, page_size, page_token| ListDisclosuresRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token,
    };
    cases.extend(
        Table::of(world, "/fealty.members.v1.DisclosureService/ListDisclosures")
            .row("nothing", &list("", 0, String::new()), invalid(&["member_id"]))
            .row(
                "another shop's member",
                &list(&world.theirs.member_id, 0, String::new()),
                not_found(),
            )
            .pages(|page_size, page_token| list(&world.ours.member_id, page_size, page_token))
            .done(),
    );
    cases
}

fn exports(world: &World) -> Vec<Case> {
    let export = |member_id: &str, page_size, page_token| ExportPersonalDataRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token,
    };
    let mut cases = Table::of(world, "/fealty.access.v1.PersonalDataService/ExportPersonalData")
        .row("nothing", &export("", 0, String::new()), invalid(&["member_id"]))
        .pages(|page_size, page_token| export(&world.ours.member_id, page_size, page_token))
        .done();
    cases.extend(
        Table::of(world, "/fealty.access.v1.ReadAuditService/ListPersonalReads")
            .row(
                "nobody's id, and an actor without end",
                &ListPersonalReadsRequest {
                    member_id: "ana".to_owned(),
                    actor: "x".repeat(NAME_TOO_LONG),
                    ..ListPersonalReadsRequest::default()
                },
                invalid(&["member_id", "actor"]),
            )
            .row(
                "a token that nobody gave",
                &ListPersonalReadsRequest {
                    page_token: "AAAA".to_owned(),
                    ..ListPersonalReadsRequest::default()
                },
                bad_token(),
            )
            .done(),
    );
    cases
}
