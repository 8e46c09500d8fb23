"""`python -m meshline.api.graphql > schema.graphql` prints the schema."""

import sys

from meshline.api.graphql.schema import print_schema

sys.stdout.write(print_schema())
