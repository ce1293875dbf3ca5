"""What keeps a store in order: checking, putting right, counting, archiving and deleting what is in it.

``archive`` and ``retention`` are about executions that ended, ``sweeping`` and ``serials`` about what was lost,
``inspecting`` and ``inspected`` about what was changed, ``measures`` about how much there is to do, and ``aof`` about
damaged files of an embedded server.
"""
