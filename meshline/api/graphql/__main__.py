"""`python -m meshline.api.graphql > schema.graphql` prints the schema."""

import sys

from meshline.api.graphql.schema import printed

sys.stdout.write(printed())
