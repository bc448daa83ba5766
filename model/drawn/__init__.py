"""The brushes, solids, animals, vehicles and places that `model.scenes` composes."""
