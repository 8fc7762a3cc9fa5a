"""Read what a patient wrote and say how fast a person must look at it; see `assess.assess`.

Rules and phrases only, explainable word by word; what is not understood goes to a person.
"""
