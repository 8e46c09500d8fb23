"""What policies can be about, one file for each kind."""

from meshline.governance.policies.subjects import bypass, change, consumption, contract, dataset, exposure, product
from meshline.governance.policies.subjects.column import SUBJECT as COLUMN
from meshline.governance.policies.subjects.copy import SUBJECT as COPY
from meshline.governance.policies.subjects.promise import SUBJECT as PROMISE
from meshline.governance.policies.subjects.shape import Subject

SUBJECTS: dict[str, Subject] = {
    one.kind: one
    for one in (
        product.SUBJECT,
        contract.SUBJECT,
        PROMISE,
        consumption.SUBJECT,
        exposure.SUBJECT,
        COLUMN,
        dataset.SUBJECT,
        COPY,
        bypass.SUBJECT,
        change.SUBJECT,
    )
}
