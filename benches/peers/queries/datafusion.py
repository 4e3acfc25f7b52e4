"""The workload in DataFusion's SQL."""

from queries.sql import Sql


class DataFusion(Sql):
    pass
