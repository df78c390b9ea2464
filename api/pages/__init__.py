"""The pages on which the work is done: rendered here, light, and clients of the API like every other.

A page knows nothing but what the API answers (``calls``), and sends nothing but commands of the API (``do``): whatever
is allowed, refused, screened and recorded there is so here, without a second copy of any rule. The pages of a slice
stand in a module with its name; ``site.routes`` has them all.
"""
