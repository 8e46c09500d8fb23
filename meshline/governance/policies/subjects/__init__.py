"""What policies can be about, by kind."""

from meshline.governance.policies.subjects import (
    catalog_bypass,
    change_subject,
    consumption_subject,
    contract_subject,
    dataset_subject,
    personal_data_exposure,
    product_subject,
)
from meshline.governance.policies.subjects.contract_subject import PROMISE
from meshline.governance.policies.subjects.dataset_subject import COPY
from meshline.governance.policies.subjects.personal_data_exposure import COLUMN
from meshline.governance.policies.subjects.subject import Subject

SUBJECTS: dict[str, Subject] = {
    one.kind: one
    for one in (
        product_subject.SUBJECT,
        contract_subject.SUBJECT,
        PROMISE,
        consumption_subject.SUBJECT,
        personal_data_exposure.SUBJECT,
        COLUMN,
        dataset_subject.SUBJECT,
        COPY,
        catalog_bypass.SUBJECT,
        change_subject.SUBJECT,
    )
}
